#include "streams/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "base/check.h"
#include "jsonrpc/scan.h"
#include "jsonrpc/value.h"

namespace fanfare::streams {
namespace {

// The raw text is valid JSON of limited depth.
Json build(std::string_view raw);

// Many members: the last of each name wins, at the place of the first.
void drop_repeated(std::vector<JsonMember>& members) {
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) -> const std::string& { return members[i].name; });
  std::vector<bool> repeated(members.size());
  bool any = false;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i + 1;
    while (end < order.size() && members[order[end]].name == members[order[i]].name)
      repeated[order[end++]] = true;
    if (end - i > 1) {
      members[order[i]].value = std::move(members[order[end - 1]].value);
      any = true;
    }
    i = end;
  }
  if (!any) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (repeated[i]) continue;
    if (kept != i) members[kept] = std::move(members[i]);
    ++kept;
  }
  members.resize(kept);
}

Json build_object(std::string_view raw) {
  Json json = Json::object();
  for (const jsonrpc::Member& member : jsonrpc::object_members(raw)) {
    std::string name;
    jsonrpc::append_unescaped(name, member.name);
    json.members.push_back({.name = std::move(name), .value = build(member.value)});
  }
  drop_repeated(json.members);
  return json;
}

Json build(std::string_view raw) {
  Json json;
  switch (jsonrpc::kind_of(raw)) {
    case jsonrpc::Kind::null:
    case jsonrpc::Kind::none:
      break;
    case jsonrpc::Kind::boolean:
      json.kind = Json::Kind::boolean;
      json.text = raw;
      break;
    case jsonrpc::Kind::number:
      json.kind = Json::Kind::number;
      json.text = raw;
      break;
    case jsonrpc::Kind::string:
      json.kind = Json::Kind::string;
      jsonrpc::append_unescaped(json.text, raw.substr(1, raw.size() - 2));
      break;
    case jsonrpc::Kind::array:
      json.kind = Json::Kind::array;
      for (const std::string_view item : jsonrpc::array_elements(raw)) json.items.push_back(build(item));
      break;
    case jsonrpc::Kind::object:
      return build_object(raw);
  }
  return json;
}

std::string_view without_space(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

Json Json::with(Kind kind) {
  Json json;
  json.kind = kind;
  return json;
}

Json Json::object() {
  return with(Kind::object);
}

Json Json::array() {
  return with(Kind::array);
}

Json Json::of(std::string_view text) {
  Json json = with(Kind::string);
  json.text = text;
  return json;
}

Json Json::of(bool value) {
  Json json = with(Kind::boolean);
  json.text = value ? "true" : "false";
  return json;
}

Json Json::of(double value) {
  if (!std::isfinite(value)) return {};
  Json json = with(Kind::number);
  json.text = number_text(value);
  return json;
}

Json Json::of(std::uint64_t value) {
  Json json = with(Kind::number);
  json.text = std::to_string(value);
  return json;
}

const Json* Json::find(std::string_view name) const {
  const auto found = std::ranges::find(members, name, &JsonMember::name);
  return found == members.end() ? nullptr : &found->value;
}

Json* Json::find(std::string_view name) {
  const auto found = std::ranges::find(members, name, &JsonMember::name);
  return found == members.end() ? nullptr : &found->value;
}

void Json::set(std::string_view name, Json value) {
  if (Json* const there = find(name)) {
    *there = std::move(value);
    return;
  }
  members.push_back({.name = std::string(name), .value = std::move(value)});
}

void Json::write(std::string& out) const {
  switch (kind) {
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean:
    case Kind::number:
      out += text;
      return;
    case Kind::string:
      return append_json_string(out, text);
    case Kind::array:
      out += '[';
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out += ',';
        items[i].write(out);
      }
      out += ']';
      return;
    case Kind::object:
      out += '{';
      for (std::size_t i = 0; i < members.size(); ++i) {
        if (i > 0) out += ',';
        append_json_string(out, members[i].name);
        out += ':';
        members[i].value.write(out);
      }
      out += '}';
      return;
  }
}

std::string Json::write() const {
  std::string out;
  write(out);
  return out;
}

bool operator==(const Json& left, const Json& right) {
  if (left.kind != right.kind || left.text != right.text || left.items != right.items) return false;
  if (left.members.size() != right.members.size()) return false;
  for (std::size_t i = 0; i < left.members.size(); ++i) {
    const JsonMember& member = left.members[i];
    // Usually both have the same order.
    const Json* const other =
        right.members[i].name == member.name ? &right.members[i].value : right.find(member.name);
    if (other == nullptr || !(member.value == *other)) return false;
  }
  return true;
}

std::optional<Json> parse_json(std::string_view text, std::uint32_t depth_max) {
  if (!jsonrpc::is_valid_json(text, depth_max)) return std::nullopt;
  return build(without_space(text));
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += kHex[static_cast<unsigned char>(c) >> 4U];
          out += kHex[static_cast<unsigned char>(c) & 15U];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// ECMA-262 §6.1.6.1.20: the shortest digits that read back as the same number, `point` digits before the point.
std::string number_text(double value) {
  if (!std::isfinite(value)) return "null";
  if (value == 0) return "0";
  std::array<char, 40> room{};
  const auto written =
      std::to_chars(room.data(), room.data() + room.size(), value, std::chars_format::scientific);
  FANFARE_CHECK(written.ec == std::errc());
  std::string_view text(room.data(), static_cast<std::size_t>(written.ptr - room.data()));
  std::string out;
  if (text.front() == '-') {
    out = "-";
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  std::string digits(1, text.front());
  if (e > 1) digits += text.substr(2, e - 2);
  int exponent = 0;
  const std::size_t sign = text[e + 1] == '+' ? 2 : 1;
  std::from_chars(text.data() + e + sign, text.data() + text.size(), exponent);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;
  if (count <= point && point <= 21)
    return out + digits + std::string(static_cast<std::size_t>(point - count), '0');
  if (0 < point && point <= 21) {
    return out + digits.substr(0, static_cast<std::size_t>(point)) + "." +
           digits.substr(static_cast<std::size_t>(point));
  }
  if (-6 < point && point <= 0)
    return out + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  out += digits.substr(0, 1);
  if (count > 1) out += "." + digits.substr(1);
  out += exponent < 0 ? "e-" : "e+";
  return out + std::to_string(std::abs(exponent));
}

}  // namespace fanfare::streams
