#pragma once
// A JSON value as a tree, for what is mapped, compared and patched. Small values only: every node is an object of its
// own. Numbers keep their text, so that no digit is lost.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::streams {

struct JsonMember;

struct Json {
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

  Kind kind = Kind::null;
  std::string text;                 // a number as written, the content of a string, "true" or "false"
  std::vector<Json> items;          // of an array
  std::vector<JsonMember> members;  // of an object: names are unique, in the order of their first appearance

  static Json of(std::string_view text);
  static Json of(bool value);
  // A whole number is written without fraction or exponent. Not finite: null.
  static Json of(double value);
  static Json of(std::uint64_t value);
  static Json object();
  static Json array();

  bool is(Kind other) const { return kind == other; }
  // Null: there is none, or this is not an object.
  const Json* find(std::string_view name) const;
  Json* find(std::string_view name);
  // Sets a member of an object; a new one becomes the last.
  void set(std::string_view name, Json value);
  // The text as JavaScript's JSON.stringify writes it, except that numbers stay as they came.
  void write(std::string& out) const;
  std::string write() const;

  // Numbers are equal if their texts are. The order of members does not matter.
  friend bool operator==(const Json& left, const Json& right);

 private:
  static Json with(Kind kind);
};

struct JsonMember {
  std::string name;
  Json value;
};

inline constexpr std::uint32_t kJsonDepthMax = 32;

// Empty: the text is not one JSON value (RFC 8259), or nests more than `depth_max` deep. Of members with the same name, the
// last value counts, as in JavaScript.
std::optional<Json> parse_json(std::string_view text, std::uint32_t depth_max = kJsonDepthMax);

// Appends a string in quotes.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

// As JavaScript writes a number (ECMA-262, Number::toString), "null" if it is not finite.
std::string number_text(double value);

}  // namespace fanfare::streams
