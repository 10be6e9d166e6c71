#pragma once
// Which client carries the calls to a node behind HTTP.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fanfare::upstream {

enum class HttpClientChoice : std::uint8_t {
  automatic,  // the built-in one, or libcurl for what that does not support (decision 0540)
  builtin,
  libcurl,
};

// The names in the configuration and in the log, in the order of the enumerators.
inline constexpr std::array<std::string_view, 3> kHttpClientNames{"auto", "builtin", "libcurl"};
constexpr std::string_view name_of(HttpClientChoice choice) {
  return kHttpClientNames[static_cast<std::size_t>(choice)];
}

}  // namespace fanfare::upstream
