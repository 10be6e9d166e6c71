#include "fanfare/json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>

#include "base/bytes.h"
#include "base/decimal.h"
#include "fanfare/rpc.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "rpc/outgoing_text.h"
#include "ws/utf8.h"

namespace fanfare {
namespace {

template <std::integral Number>
std::optional<Number> read_integer(std::string_view json) {
  if (jsonrpc::kind_of(json) != jsonrpc::Kind::number) return std::nullopt;
  Number number{};
  const char* const end = json.data() + json.size();
  const auto read = std::from_chars(json.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

template <std::floating_point Number>
void append_number(std::string& out, Number number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  std::array<char, 32> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), written.ptr);
}

}  // namespace

std::optional<bool> read_json_bool(std::string_view json) {
  return jsonrpc::bool_value(json);
}
std::optional<std::int64_t> read_json_int(std::string_view json) {
  return read_integer<std::int64_t>(json);
}
std::optional<std::uint64_t> read_json_uint(std::string_view json) {
  return read_integer<std::uint64_t>(json);
}
std::optional<double> read_json_double(std::string_view json) {
  if (jsonrpc::kind_of(json) != jsonrpc::Kind::number || !jsonrpc::is_valid_json(json, 1))
    return std::nullopt;
  const double number = double_of(json);
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}
std::optional<std::string> read_json_string(std::string_view json) {
  return jsonrpc::string_copy(json);
}
std::optional<std::vector<std::string_view>> read_json_array(std::string_view json) {
  if (jsonrpc::kind_of(json) != jsonrpc::Kind::array) return std::nullopt;
  std::vector<std::string_view> elements;
  for (const std::string_view element : jsonrpc::array_elements(json)) elements.push_back(element);
  return elements;
}
std::optional<std::string_view> read_json_member(std::string_view json, std::string_view name) {
  return jsonrpc::member(json, name);
}

void append_json_string(std::string& out, std::string_view text) {
  if (ws::is_valid_utf8(as_bytes(text))) return jsonrpc::append_string(out, text);
  jsonrpc::append_string(out, rpc::to_utf8(text));
}

void append_json_number(std::string& out, double number) {
  append_number(out, number);
}
void append_json_float(std::string& out, float number) {
  append_number(out, number);
}

std::optional<Position> JsonType<Position>::read(std::string_view json) {
  if (jsonrpc::kind_of(json) != jsonrpc::Kind::object) return std::nullopt;
  const auto epoch = jsonrpc::member(json, "epoch");
  const auto offset = jsonrpc::member(json, "offset");
  if (!epoch || !offset) return std::nullopt;
  const auto epoch_number = read_json_uint(*epoch);
  const auto offset_number = read_json_uint(*offset);
  if (!epoch_number || !offset_number) return std::nullopt;
  return Position{.epoch = *epoch_number, .offset = *offset_number};
}

void JsonType<Position>::write(std::string& out, Position value) {
  out += "{\"epoch\":" + std::to_string(value.epoch) + ",\"offset\":" + std::to_string(value.offset) + "}";
}

std::string JsonType<Position>::schema() {
  return R"({"type":"object","required":["epoch","offset"],"properties":)"
         R"({"epoch":{"type":"integer","minimum":0},"offset":{"type":"integer","minimum":0}}})";
}

}  // namespace fanfare
