#pragma once
// Builds text from parts.

#include <initializer_list>
#include <string>
#include <string_view>

namespace fanfare {

// Concatenates the parts in one allocation: joined({"invalid host \"", host, "\""}). Use it where `"literal"
// + std::string(...)` makes g++ 12 warn at -O3 (-Wrestrict, "accessing 9223372036854775810 or more bytes").
// The compiler mistakes the insertion at the front of a string for an overlapping copy.
std::string joined(std::initializer_list<std::string_view> parts);

}  // namespace fanfare
