#include "streams/pointer.h"

#include <charconv>

namespace fanfare::streams {
namespace {

// RFC6901§3: only "~0" and "~1" are escapes.
std::optional<std::string> unescape(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '~') {
      out += name[i];
      continue;
    }
    ++i;
    if (i == name.size() || (name[i] != '0' && name[i] != '1')) return std::nullopt;
    out += name[i] == '0' ? '~' : '/';
  }
  return out;
}

// RFC6901§4: decimal digits without leading zeros. "-" names the element after the last, which is never there.
std::optional<std::size_t> array_index(std::string_view name) {
  if (name.empty() || (name.size() > 1 && name.front() == '0')) return std::nullopt;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return index;
}

}  // namespace

std::optional<JsonPointer> JsonPointer::parse(std::string_view text) {
  JsonPointer pointer;
  pointer.text_ = text;
  if (text.empty()) return pointer;
  if (text.front() != '/') return std::nullopt;
  std::size_t at = 1;
  while (true) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    auto name = unescape(text.substr(at, end - at));
    if (!name) return std::nullopt;
    pointer.names_.push_back(*std::move(name));
    if (end == text.size()) return pointer;
    at = end + 1;
  }
}

const Json* JsonPointer::find(const Json& value) const {
  const Json* at = &value;
  for (const std::string& name : names_) {
    if (at->is(Json::Kind::array)) {
      const auto index = array_index(name);
      if (!index || *index >= at->items.size()) return nullptr;
      at = &at->items[*index];
    } else {
      at = at->find(name);
      if (at == nullptr) return nullptr;
    }
  }
  return at;
}

}  // namespace fanfare::streams
