#pragma once
// Marks the exported symbols of the shared library libfanfare.so. All others are hidden by
// -fvisibility=hidden. tests/configurations compares the library's symbols with these marks.

#define FANFARE_EXPORT __attribute__((visibility("default")))
