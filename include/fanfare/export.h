#pragma once
// Marks what the shared library libfanfare.so shows. Everything else in it is hidden: it is compiled with
// -fvisibility=hidden. tests/configurations compares its symbols with this promise.

#define FANFARE_EXPORT __attribute__((visibility("default")))
