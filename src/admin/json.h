#pragma once
// Writes JSON text from its parts, with the commas between them.
//
//   Json json;
//   json.object([&] { json.member("id", id).list("topics", topics); });

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::admin {

class Json {
 public:
  template <typename Body>
  Json& object(Body body) {
    return enclose('{', '}', body);
  }
  template <typename Body>
  Json& array(Body body) {
    return enclose('[', ']', body);
  }
  // The next value is that of this member.
  Json& key(std::string_view name);

  // Bytes that are not UTF-8 become U+FFFD: header fields of clients may hold any.
  Json& value(std::string_view text);
  Json& value(const char* text) { return value(std::string_view(text)); }
  Json& value(const std::string& text) { return value(std::string_view(text)); }
  Json& value(bool yes) { return raw(yes ? "true" : "false"); }
  Json& value(double number);  // three decimals
  template <typename Number>
    requires std::integral<Number>
  Json& value(Number number) {
    return raw(std::to_string(number));
  }
  Json& null() { return raw("null"); }
  // One valid JSON value.
  Json& raw(std::string_view json);

  template <typename T>
  Json& member(std::string_view name, const T& of) {
    key(name);
    return value(of);
  }
  template <typename T>
  Json& member(std::string_view name, const std::optional<T>& of) {
    key(name);
    return of ? value(*of) : null();
  }
  Json& list(std::string_view name, const std::vector<std::string>& texts);

  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  template <typename Body>
  Json& enclose(char open, char close, Body& body) {
    begin_value();
    text_ += open;
    first_ = true;
    body();
    text_ += close;
    first_ = false;
    return *this;
  }
  void begin_value();

  std::string text_;
  bool first_ = true;       // nothing is before the next value, at its level
  bool after_key_ = false;  // the next value is a member's
};

}  // namespace fanfare::admin
