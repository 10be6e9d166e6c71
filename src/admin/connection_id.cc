#include "admin/connection_id.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace fanfare::admin {

std::string to_string(const ConnectionId& id) {
  return std::to_string(id.loop) + "-" + std::to_string(id.session.slot) + "-" +
         std::to_string(id.session.generation);
}

std::optional<ConnectionId> parse_connection_id(std::string_view text) {
  std::array<std::uint32_t, 3> numbers{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '-')) return std::nullopt;
    const auto read = std::from_chars(at, end, numbers[i]);
    if (read.ec != std::errc()) return std::nullopt;
    at = read.ptr;
  }
  if (at != end) return std::nullopt;
  return ConnectionId{.loop = numbers[0], .session = {.slot = numbers[1], .generation = numbers[2]}};
}

}  // namespace fanfare::admin
