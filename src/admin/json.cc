#include "admin/json.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "jsonrpc/response.h"
#include "ws/utf8.h"

namespace fanfare::admin {

void Json::begin_value() {
  if (!after_key_ && !first_) text_ += ',';
  after_key_ = false;
  first_ = false;
}

Json& Json::key(std::string_view name) {
  if (!first_) text_ += ',';
  first_ = false;
  jsonrpc::append_string(text_, name);
  text_ += ':';
  after_key_ = true;
  return *this;
}

Json& Json::value(std::string_view text) {
  begin_value();
  if (ws::is_valid_utf8(as_bytes(text))) {
    jsonrpc::append_string(text_, text);
    return *this;
  }
  std::string mended;
  for (const char byte : text) {
    if (static_cast<unsigned char>(byte) < 0x80) {
      mended += byte;
    } else {
      mended += "\xef\xbf\xbd";
    }
  }
  jsonrpc::append_string(text_, mended);
  return *this;
}

Json& Json::value(double number) {
  if (!std::isfinite(number)) return null();
  std::array<char, 64> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), number, std::chars_format::fixed, 3);
  return end.ec == std::errc() ? raw({digits.data(), end.ptr}) : null();
}

Json& Json::raw(std::string_view json) {
  begin_value();
  text_ += json;
  return *this;
}

Json& Json::list(std::string_view name, const std::vector<std::string>& texts) {
  key(name);
  return array([&] {
    for (const std::string& text : texts) value(text);
  });
}

}  // namespace fanfare::admin
