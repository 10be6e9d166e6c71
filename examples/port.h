#pragma once
// For examples with a port argument: returns the argument at `index`, or `otherwise` without one. Ends the
// program if the argument is invalid.

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

inline std::uint16_t port_argument(int argc, char** argv, int index, std::uint16_t otherwise) {
  if (argc <= index) return otherwise;
  const std::string_view text = argv[index];
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.begin(), text.end(), port);
  if (read.ec == std::errc() && read.ptr == text.end()) return port;
  std::fprintf(stderr, "%s: a port is a number from 0 to 65535, not \"%s\"\n", argv[0], argv[index]);
  std::exit(2);
}
