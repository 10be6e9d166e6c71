#pragma once
// JSON pointers (RFC 6901): "/peers/0/address". "~1" is "/" and "~0" is "~" within a name.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "streams/json.h"

namespace fanfare::streams {

class JsonPointer {
 public:
  // The whole value.
  JsonPointer() = default;
  // Empty: the text is not "" and does not begin with "/", or has a "~" without 0 or 1.
  static std::optional<JsonPointer> parse(std::string_view text);

  // RFC6901§4. Null: the value is not there. Points into `value`.
  const Json* find(const Json& value) const;
  const std::string& text() const { return text_; }
  // The first name; empty for the whole value.
  std::string_view first() const { return names_.empty() ? std::string_view() : names_.front(); }

 private:
  std::string text_;
  std::vector<std::string> names_;
};

}  // namespace fanfare::streams
