#include "connect/shown.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <iterator>

#include "jsonrpc/scan.h"
#include "jsonrpc/value.h"

namespace fanfare::app {
namespace {

constexpr std::string_view kNameColour = "\x1B[34m";
constexpr std::string_view kTextColour = "\x1B[32m";
constexpr std::string_view kOtherColour = "\x1B[33m";
constexpr std::string_view kPlain = "\x1B[0m";

constexpr double kWeiOfGwei = 1e9;

// The text between the quotes of a string, such as "0x1b4".
std::optional<std::string_view> text_in(std::string_view object, std::string_view name) {
  const auto value = jsonrpc::member(object, name);
  if (!value || jsonrpc::kind_of(*value) != jsonrpc::Kind::string) return std::nullopt;
  return value->substr(1, value->size() - 2);
}

std::optional<std::uint64_t> quantity_in(std::string_view object, std::string_view name) {
  const auto text = text_in(object, name);
  if (!text || !text->starts_with("0x")) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text->data() + text->size();
  const auto read = std::from_chars(text->data() + 2, end, number, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

std::string rounded(double value, const char* unit) {
  std::array<char, 48> text{};
  const int size =
      std::snprintf(text.data(), text.size(), value < 0.01 && value > 0 ? "%.3g %s" : "%.2f %s", value, unit);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string time_of_day(std::uint64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (::localtime_r(&time, &parts) == nullptr) return std::to_string(seconds);
  std::array<char, 16> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%H:%M:%S", &parts)};
}

std::string short_hash(std::string_view hash) {
  constexpr std::size_t kBegin = 10;
  constexpr std::size_t kEnd = 8;
  if (hash.size() <= kBegin + kEnd + 2) return std::string(hash);
  return std::string(hash.substr(0, kBegin)) + ".." + std::string(hash.substr(hash.size() - kEnd));
}

std::size_t member_count(std::string_view object) {
  std::size_t count = 0;
  for ([[maybe_unused]] const jsonrpc::Member& member : jsonrpc::Members(object)) ++count;
  return count;
}

}  // namespace

std::string coloured_json(std::string_view json) {
  if (!jsonrpc::is_valid_json(json)) return std::string(json);
  std::string shown;
  const auto put = [&](std::string_view colour, std::string_view token) {
    shown.append(colour).append(token).append(kPlain);
  };
  constexpr std::string_view kMarks = "{}[],: \t\n\r";
  for (std::size_t at = 0; at < json.size();) {
    if (json[at] == '"') {
      jsonrpc::Scanner scanner(json.substr(at));
      bool escaped = false;
      scanner.skip_string(&escaped);
      const auto size = static_cast<std::size_t>(scanner.at() - (json.data() + at));
      const std::size_t next = json.find_first_not_of(" \t\n\r", at + size);
      const bool is_name = next != std::string_view::npos && json[next] == ':';
      put(is_name ? kNameColour : kTextColour, json.substr(at, size));
      at += size;
    } else if (kMarks.contains(json[at])) {
      shown += json[at++];
    } else {
      const std::size_t end = std::min(json.find_first_of(kMarks, at), json.size());
      put(kOtherColour, json.substr(at, end - at));
      at = end;
    }
  }
  return shown;
}

std::optional<std::string> head_line(std::string_view json) {
  if (!jsonrpc::is_valid_json(json) || text_in(json, "method") != "eth_subscription") return std::nullopt;
  const auto params = jsonrpc::member(json, "params");
  if (!params || member_count(*params) != 2) return std::nullopt;
  const auto head = jsonrpc::member(*params, "result");
  if (!head) return std::nullopt;
  const auto number = quantity_in(*head, "number");
  const auto hash = text_in(*head, "hash");
  // A log has no parent, and a transaction neither.
  if (!number || !hash || !text_in(*head, "parentHash")) return std::nullopt;
  std::string line = "head " + std::to_string(*number) + "  " + short_hash(*hash);
  if (const auto time = quantity_in(*head, "timestamp")) line += "  " + time_of_day(*time);
  const auto used = quantity_in(*head, "gasUsed");
  const auto limit = quantity_in(*head, "gasLimit");
  if (used && limit && *limit != 0) {
    line += "  gas " + rounded(100.0 * static_cast<double>(*used) / static_cast<double>(*limit), "%");
  }
  if (const auto fee = quantity_in(*head, "baseFeePerGas")) {
    line += "  base fee " + rounded(static_cast<double>(*fee) / kWeiOfGwei, "gwei");
  }
  return line;
}

}  // namespace fanfare::app
