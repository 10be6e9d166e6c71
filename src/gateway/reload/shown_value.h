#pragma once
// Values of settings, for people.

#include <concepts>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "gateway/config.h"
#include "gateway/duration.h"

namespace fanfare::gateway {

inline std::string shown(bool value) {
  return value ? "true" : "false";
}
inline std::string shown(const std::string& value) {
  return value.empty() ? "none" : value;
}
inline std::string shown(std::unsigned_integral auto value) {
  return std::to_string(value);
}
inline std::string shown(Duration value) {
  return format_duration(value);
}
// Of a setting that may be left to the program.
inline std::string shown(const std::optional<Duration>& value) {
  return value ? shown(*value) : "auto";
}
inline std::string shown(log::Level value) {
  return std::string(kLogLevels[static_cast<std::size_t>(value)]);
}
inline std::string shown(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return "[" + text + "]";
}
// "timeout: 10s -> 5s"
template <typename Value>
std::string arrow(const std::string& name, const Value& present, const Value& wanted) {
  return name + ": " + shown(present) + " -> " + shown(wanted);
}

}  // namespace fanfare::gateway
