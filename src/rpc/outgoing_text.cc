#include "rpc/outgoing_text.h"

#include <algorithm>

#include "base/bytes.h"
#include "jsonrpc/value.h"
#include "ws/utf8.h"

namespace fanfare::rpc {
namespace {

constexpr std::size_t kCharacterBytesMax = 4;

// Of the character that the text begins with; zero: it begins with none.
std::size_t character_size(std::string_view text) {
  ws::Utf8Validator validator;
  for (std::size_t size = 1; size <= std::min(text.size(), kCharacterBytesMax); ++size) {
    if (!validator.feed(as_bytes(text.substr(size - 1, 1)))) return 0;
    if (validator.complete()) return size;
  }
  return 0;
}

}  // namespace

std::string to_utf8(std::string_view text) {
  if (ws::is_valid_utf8(as_bytes(text))) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    out += size == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

bool is_sendable(std::string_view json) {
  return ws::is_valid_utf8(as_bytes(json)) && jsonrpc::is_valid_json(json);
}

}  // namespace fanfare::rpc
