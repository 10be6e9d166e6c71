#pragma once
// JSON for the parameters and results of methods (fanfare/rpc.h): typed values, and raw JSON where a type would
// be in the way. It builds no tree. Plain functions; any thread.
//
//   JsonObject().add("height", 5).add("tip", true).text()     {"height":5,"tip":true}
//
// JsonType<T> converts T. It exists for bool, integers, float, double, std::string, Json, and vectors and optionals of
// these. For results only, there are std::string_view, const char* and std::nullptr_t. A program may add its own types:
//
//   template <>
//   struct fanfare::JsonType<Amount> {
//     static std::optional<Amount> read(std::string_view json);          // empty: not an Amount
//     static void write(std::string& out, const Amount& value);          // appends JSON
//     static std::string schema() { return R"({"type":"string"})"; }     // JSON Schema
//     static std::string_view expected() { return "an amount"; }         // for error texts
//   };

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "fanfare/export.h"

namespace fanfare {

// One JSON value as text. Read from a request, it is verbatim and valid.
struct Json {
  std::string text = "null";
  bool operator==(const Json&) const = default;
};

// Reading of raw values, as they come in requests. Empty: another kind of value, or one that does not fit.
FANFARE_EXPORT std::optional<bool> read_json_bool(std::string_view json);
// Without fraction and exponent, as exact as it was written.
FANFARE_EXPORT std::optional<std::int64_t> read_json_int(std::string_view json);
FANFARE_EXPORT std::optional<std::uint64_t> read_json_uint(std::string_view json);
FANFARE_EXPORT std::optional<double> read_json_double(std::string_view json);
FANFARE_EXPORT std::optional<std::string> read_json_string(std::string_view json);
// The elements of an array, views of `json`; empty: not an array.
FANFARE_EXPORT std::optional<std::vector<std::string_view>> read_json_array(std::string_view json);
// The value of a member of an object; empty: there is none. A view of `json`.
FANFARE_EXPORT std::optional<std::string_view> read_json_member(std::string_view json, std::string_view name);

// Appends the text as a JSON string. Bytes that are not UTF-8 become U+FFFD.
FANFARE_EXPORT void append_json_string(std::string& out, std::string_view text);
// A number that is not finite becomes null.
FANFARE_EXPORT void append_json_number(std::string& out, double number);
// With as many digits as a float needs.
FANFARE_EXPORT void append_json_float(std::string& out, float number);

template <typename T>
struct JsonType;

// Why a value could not be read: which part of it, "" or such as "[2]" for an element of an array, and what it must be.
struct JsonMistake {
  std::string where = {};
  std::string_view expected = {};  // static
};
// For a value that JsonType<T>::read() refused.
template <typename T>
JsonMistake find_json_mistake(std::string_view json) {
  if constexpr (requires { JsonType<T>::mistake(json); }) {
    return JsonType<T>::mistake(json);
  } else {
    return {.expected = JsonType<T>::expected()};
  }
}

template <>
struct JsonType<bool> {
  static std::optional<bool> read(std::string_view json) { return read_json_bool(json); }
  static void write(std::string& out, bool value) { out += value ? "true" : "false"; }
  static std::string schema() { return R"({"type":"boolean"})"; }
  static std::string_view expected() { return "true or false"; }
};

template <std::integral T>
  requires(!std::same_as<T, bool>)
struct JsonType<T> {
  static std::optional<T> read(std::string_view json) {
    if constexpr (std::is_signed_v<T>) {
      return narrowed(read_json_int(json));
    } else {
      return narrowed(read_json_uint(json));
    }
  }
  static void write(std::string& out, T value) { out += std::to_string(value); }
  static std::string schema() {
    return R"({"type":"integer","minimum":)" + std::to_string(kMin) + ",\"maximum\":" + std::to_string(kMax) +
           "}";
  }
  static std::string_view expected() {
    static const std::string text =
        "a whole number from " + std::to_string(kMin) + " to " + std::to_string(kMax);
    return text;
  }

 private:
  static constexpr T kMin = std::numeric_limits<T>::min();
  static constexpr T kMax = std::numeric_limits<T>::max();

  template <typename Wide>
  static std::optional<T> narrowed(std::optional<Wide> wide) {
    const bool fits = wide && *wide >= kMin && *wide <= kMax;
    return fits ? std::optional<T>(static_cast<T>(*wide)) : std::nullopt;
  }
};

template <>
struct JsonType<double> {
  static std::optional<double> read(std::string_view json) { return read_json_double(json); }
  static void write(std::string& out, double value) { append_json_number(out, value); }
  static std::string schema() { return R"({"type":"number"})"; }
  static std::string_view expected() { return "a number"; }
};

template <>
struct JsonType<float> {
  static std::optional<float> read(std::string_view json) {
    const auto wide = read_json_double(json);
    constexpr double kMax = std::numeric_limits<float>::max();
    return wide && *wide >= -kMax && *wide <= kMax ? std::optional(static_cast<float>(*wide)) : std::nullopt;
  }
  static void write(std::string& out, float value) { append_json_float(out, value); }
  static std::string schema() { return R"({"type":"number"})"; }
  static std::string_view expected() { return "a number that a float holds"; }
};

template <>
struct JsonType<std::string> {
  static std::optional<std::string> read(std::string_view json) { return read_json_string(json); }
  static void write(std::string& out, std::string_view value) { append_json_string(out, value); }
  static std::string schema() { return R"({"type":"string"})"; }
  static std::string_view expected() { return "a string"; }
};

// For results only: what they would refer to in a parameter is gone when the handler runs.
template <>
struct JsonType<std::string_view> {
  static void write(std::string& out, std::string_view value) { append_json_string(out, value); }
  static std::string schema() { return R"({"type":"string"})"; }
};
template <>
struct JsonType<const char*> : JsonType<std::string_view> {};
template <>
struct JsonType<std::nullptr_t> {
  static void write(std::string& out, std::nullptr_t) { out += "null"; }
  static std::string schema() { return R"({"type":"null"})"; }
};

template <>
struct JsonType<Json> {
  static std::optional<Json> read(std::string_view json) { return Json{.text = std::string(json)}; }
  static void write(std::string& out, const Json& value) { out += value.text; }
  static std::string schema() { return "true"; }
  static std::string_view expected() { return "any value"; }
};

template <typename T>
struct JsonType<std::vector<T>> {
  static std::optional<std::vector<T>> read(std::string_view json) {
    const auto elements = read_json_array(json);
    if (!elements) return std::nullopt;
    std::vector<T> values;
    for (const std::string_view element : *elements) {
      auto value = JsonType<T>::read(element);
      if (!value) return std::nullopt;
      values.push_back(*std::move(value));
    }
    return values;
  }
  static void write(std::string& out, const std::vector<T>& values) {
    out += '[';
    for (bool is_first = true; const T& value : values) {
      if (!std::exchange(is_first, false)) out += ',';
      JsonType<T>::write(out, value);
    }
    out += ']';
  }
  static std::string schema() { return R"({"type":"array","items":)" + JsonType<T>::schema() + "}"; }
  static std::string_view expected() { return "an array"; }
  static JsonMistake mistake(std::string_view json) {
    std::size_t index = 0;
    for (const std::string_view element : read_json_array(json).value_or(std::vector<std::string_view>())) {
      if (!JsonType<T>::read(element)) {
        JsonMistake found = find_json_mistake<T>(element);
        found.where = "[" + std::to_string(index) + "]" + found.where;
        return found;
      }
      ++index;
    }
    return {.expected = expected()};
  }
};

// An empty one is null.
template <typename T>
struct JsonType<std::optional<T>> {
  static std::optional<std::optional<T>> read(std::string_view json) {
    if (json == "null") return std::optional<T>();
    auto value = JsonType<T>::read(json);
    if (!value) return std::nullopt;
    return std::optional<std::optional<T>>(std::in_place, std::move(value));
  }
  static void write(std::string& out, const std::optional<T>& value) {
    if (value) return JsonType<T>::write(out, *value);
    out += "null";
  }
  static std::string schema() { return R"({"anyOf":[)" + JsonType<T>::schema() + R"(,{"type":"null"}]})"; }
  static std::string_view expected() { return JsonType<T>::expected(); }
  static JsonMistake mistake(std::string_view json) { return find_json_mistake<T>(json); }
};

template <typename T>
std::string to_json(const T& value) {
  std::string text;
  JsonType<T>::write(text, value);
  return text;
}

// Writes an object, member by member. Names must not repeat.
class JsonObject {
 public:
  template <typename T>
  JsonObject& add(std::string_view name, const T& value) {
    if (text_.size() > 1) text_ += ',';
    append_json_string(text_, name);
    text_ += ':';
    if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      append_json_string(text_, value);
    } else {
      JsonType<T>::write(text_, value);
    }
    return *this;
  }
  std::string text() const { return text_ + "}"; }
  Json json() const { return {.text = text()}; }

 private:
  std::string text_ = "{";
};

}  // namespace fanfare
