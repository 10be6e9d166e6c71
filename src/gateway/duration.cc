#include "gateway/duration.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace fanfare::gateway {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};

// From large to small, which is also the order in durations.
constexpr std::array kUnits{Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000}, Unit{"ms", 1}};
constexpr std::int64_t kMillisecondsMax = 8760LL * 3'600'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view take_while(std::string_view& rest, bool (*wanted)(char)) {
  std::size_t length = 0;
  while (length < rest.size() && wanted(rest[length])) ++length;
  const std::string_view taken = rest.substr(0, length);
  rest.remove_prefix(length);
  return taken;
}

}  // namespace

std::expected<Duration, std::string> parse_duration(std::string_view text) {
  if (text.empty()) return std::unexpected("is empty");
  std::int64_t total = 0;
  std::size_t units_used = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view digits = take_while(rest, is_digit);
    if (digits.empty()) return std::unexpected("is not a duration");
    if (rest.empty()) {
      return std::unexpected(digits.size() == text.size() ? "is a number without a unit"
                                                          : "ends in a number without a unit");
    }
    const std::string_view name = take_while(rest, is_letter);
    if (name.empty()) return std::unexpected("is not a duration");
    std::size_t index = 0;
    while (index < kUnits.size() && kUnits[index].name != name) ++index;
    if (index == kUnits.size()) return std::unexpected("has an unknown unit");
    if (index < units_used) return std::unexpected("has its units out of order");
    units_used = index + 1;

    std::int64_t count = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (read.ec != std::errc() || count > (kMillisecondsMax - total) / kUnits[index].milliseconds) {
      return std::unexpected("is longer than 8760h");
    }
    total += count * kUnits[index].milliseconds;
  }
  return std::chrono::milliseconds(total);
}

std::string format_duration(Duration duration) {
  std::int64_t rest = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  std::string text;
  for (const Unit& unit : kUnits) {
    const std::int64_t count = rest / unit.milliseconds;
    if (count == 0) continue;
    text += std::to_string(count);
    text += unit.name;
    rest -= count * unit.milliseconds;
  }
  return text.empty() ? "0s" : text;
}

}  // namespace fanfare::gateway
