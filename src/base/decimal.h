#pragma once
// Decimal fractions as text. std::from_chars for them is missing in libc++ 19.

#include <string_view>

namespace fanfare {

// The value of a number of JSON (RFC 8259 §6), whatever the program's locale is. Infinity if it is too large.
// The text must be such a number: its syntax is not checked.
double double_of(std::string_view number);

}  // namespace fanfare
