#pragma once
// Whether a node behind HTTP is asked to announce its blocks over WebSocket (hint_connection.h).

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fanfare::upstream {

enum class HeadHintsChoice : std::uint8_t {
  automatic,  // if it serves WebSocket at the same URL
  never,
};

// The names in the configuration and in the log, in the order of the enumerators.
inline constexpr std::array<std::string_view, 2> kHeadHintsNames{"auto", "never"};
constexpr std::string_view name_of(HeadHintsChoice choice) {
  return kHeadHintsNames[static_cast<std::size_t>(choice)];
}

}  // namespace fanfare::upstream
