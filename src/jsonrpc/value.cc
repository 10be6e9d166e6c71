#include "jsonrpc/value.h"

#include <charconv>
#include <memory>

#include "jsonrpc/scan.h"

namespace fanfare::jsonrpc {
namespace {

// The depth of the text was checked when it was parsed; this only limits the stack.
constexpr std::uint32_t kDepthMax = kAnswerDepthMax;

std::string_view between(const char* from, const char* to) {
  return {from, static_cast<std::size_t>(to - from)};
}

}  // namespace

Kind kind_of(std::string_view raw) {
  if (raw.empty()) return Kind::none;
  switch (raw.front()) {
    case 'n':
      return Kind::null;
    case 't':
    case 'f':
      return Kind::boolean;
    case '"':
      return Kind::string;
    case '[':
      return Kind::array;
    case '{':
      return Kind::object;
    default:
      return raw.front() == '-' || (raw.front() >= '0' && raw.front() <= '9') ? Kind::number : Kind::none;
  }
}

bool is_valid_json(std::string_view text, std::uint32_t depth_max) {
  Scanner scanner(text);
  scanner.skip_space();
  if (!scanner.skip_value(depth_max)) return false;
  scanner.skip_space();
  return scanner.at_end();
}

Elements::Elements(std::string_view raw) {
  if (kind_of(raw) == Kind::array) inside_ = raw.substr(1);
}

void Elements::Iterator::step() {
  Scanner scanner(rest_);
  const char* const end = rest_.data() + rest_.size();
  if (element_.data() != nullptr) {
    scanner.skip_space();
    scanner.consume(',');
  }
  scanner.skip_space();
  const char* const from = scanner.at();
  if (scanner.at_end() || scanner.peek() == ']' || !scanner.skip_value(kDepthMax)) {
    element_ = {};
    return;
  }
  element_ = between(from, scanner.at());
  rest_ = between(scanner.at(), end);
}

Members::Members(std::string_view raw) {
  if (kind_of(raw) == Kind::object) inside_ = raw.substr(1);
}

void Members::Iterator::step() {
  Scanner scanner(rest_);
  const char* const end = rest_.data() + rest_.size();
  if (member_.value.data() != nullptr) {
    scanner.skip_space();
    scanner.consume(',');
  }
  scanner.skip_space();
  Member next;
  const char* const quote = scanner.at();
  if (!scanner.skip_string(&next.name_escaped)) {
    member_ = {};
    return;
  }
  next.name = between(quote + 1, scanner.at() - 1);
  scanner.skip_space();
  scanner.consume(':');
  scanner.skip_space();
  const char* const from = scanner.at();
  if (!scanner.skip_value(kDepthMax)) {
    member_ = {};
    return;
  }
  next.value = between(from, scanner.at());
  member_ = next;
  rest_ = between(scanner.at(), end);
}

std::optional<std::string_view> element(std::string_view raw, std::size_t index) {
  for (const std::string_view found : array_elements(raw)) {
    if (index-- == 0) return found;
  }
  return std::nullopt;
}

std::size_t element_count(std::string_view raw) {
  std::size_t count = 0;
  for ([[maybe_unused]] const std::string_view found : array_elements(raw)) ++count;
  return count;
}

std::optional<std::string_view> member(std::string_view raw, std::string_view name) {
  std::optional<std::string_view> found;
  std::string unescaped;
  for (const Member& candidate : object_members(raw)) {
    if (!candidate.name_escaped) {
      if (candidate.name == name) found = candidate.value;
      continue;
    }
    unescaped.clear();
    append_unescaped(unescaped, candidate.name);
    if (unescaped == name) found = candidate.value;
  }
  return found;
}

std::optional<std::string_view> string_value(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"') return std::nullopt;
  const std::string_view content = raw.substr(1, raw.size() - 2);
  if (content.find('\\') != std::string_view::npos) return std::nullopt;
  return content;
}

std::optional<std::string> string_copy(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"') return std::nullopt;
  std::string text;
  append_unescaped(text, raw.substr(1, raw.size() - 2));
  return text;
}

std::optional<std::uint64_t> uint_value(std::string_view raw) {
  std::uint64_t value = 0;
  const char* const end = std::to_address(raw.end());
  const auto [stopped, error] = std::from_chars(std::to_address(raw.begin()), end, value);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

std::optional<bool> bool_value(std::string_view raw) {
  if (raw == "true") return true;
  if (raw == "false") return false;
  return std::nullopt;
}

}  // namespace fanfare::jsonrpc
