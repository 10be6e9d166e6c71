#include "jsonrpc/response.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <memory>

#include "jsonrpc/scan.h"
#include "jsonrpc/value.h"

namespace fanfare::jsonrpc {
namespace {

constexpr std::uint32_t kSpliceDepthMax = kAnswerDepthMax;

using Parts = std::initializer_list<std::string_view>;

void append_parts(std::string& out, Parts parts) {
  std::size_t size = out.size();
  for (const std::string_view part : parts) size += part.size();
  // Grows as push_back would, since many responses may be appended to one string.
  if (size > out.capacity()) out.reserve(std::max(size, out.capacity() * 2));
  for (const std::string_view part : parts) out.append(part);
}

// `text` as a JSON string. Methods and messages are usually short and plain, so most need no heap allocation.
std::string quoted(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

// Whether the member's name equals `name`, with or without escapes.
bool is_called(const Member& found, std::string_view name) {
  if (!found.name_escaped) return found.name == name;
  std::string unescaped;
  append_unescaped(unescaped, found.name);
  return unescaped == name;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \n\r\t";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// `raw` is valid JSON without surrounding white space.
std::optional<Answer> take_apart(std::string_view raw) {
  if (kind_of(raw) != Kind::object) return std::nullopt;
  Answer answer{.raw = raw};
  std::string_view method;
  struct Slot {
    std::string_view name;
    std::string_view* value;
  };
  const std::array<Slot, 5> slots{{{"id", &answer.id},
                                   {"result", &answer.result},
                                   {"error", &answer.error},
                                   {"method", &method},
                                   {"params", &answer.params}}};
  for (const Member& found : object_members(raw)) {
    const Slot* const slot =
        std::ranges::find_if(slots, [&](const Slot& one) { return is_called(found, one.name); });
    if (slot == slots.end()) {
      answer.has_others = answer.has_others || !is_called(found, "jsonrpc");
      continue;
    }
    if (!slot->value->empty()) return std::nullopt;
    *slot->value = found.value;
  }
  if (!method.empty()) {
    const bool notifies = kind_of(method) == Kind::string && method.size() > 2 && answer.id.empty() &&
                          answer.result.empty() && answer.error.empty();
    if (!notifies) return std::nullopt;
    answer.method = method.substr(1, method.size() - 2);
    return answer;
  }
  if (answer.error == "null" && !answer.result.empty()) answer.error = {};
  if (kind_of(answer.error) == Kind::object && answer.result == "null") answer.result = {};
  const Kind id = kind_of(answer.id);
  if (id != Kind::number && id != Kind::string && id != Kind::null) return std::nullopt;
  if (answer.result.empty() == answer.error.empty()) return std::nullopt;
  if (!answer.error.empty() && kind_of(answer.error) != Kind::object) return std::nullopt;
  return answer;
}

// The value of the object's only id. Empty: no id, several, or not an object.
std::optional<std::string_view> find_id(std::string_view raw) {
  std::optional<std::string_view> id;
  for (const Member& found : object_members(raw)) {
    if (!is_called(found, "id")) continue;
    if (id) return std::nullopt;
    id = found.value;
  }
  return id;
}

std::string spliced(std::string_view raw, std::string_view old_part, std::string_view new_part) {
  const auto before = static_cast<std::size_t>(old_part.data() - raw.data());
  std::string out;
  append_parts(out, {raw.substr(0, before), new_part, raw.substr(before + old_part.size())});
  return out;
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.reserve(out.size() + text.size() + 2);
  out.push_back('"');
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text.substr(from, i - from));
    from = i + 1;
    out.push_back('\\');
    switch (text[i]) {
      case '"':
      case '\\':
        out.push_back(text[i]);
        break;
      case '\n':
        out.push_back('n');
        break;
      case '\r':
        out.push_back('r');
        break;
      case '\t':
        out.push_back('t');
        break;
      default:
        out.append("u00");
        out.push_back(kHex[byte >> 4]);
        out.push_back(kHex[byte & 0xF]);
        break;
    }
  }
  out.append(text.substr(from));
  out.push_back('"');
}

void append_result(std::string& out, std::string_view id, std::string_view result_json) {
  append_parts(out, {R"({"jsonrpc":"2.0","id":)", id, R"(,"result":)", result_json, "}"});
}

void append_error(std::string& out, std::string_view id, ErrorCode code, std::string_view message,
                  std::string_view data_json) {
  std::array<char, 16> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<int>(code));
  const std::string_view number(digits.data(), static_cast<std::size_t>(written.ptr - digits.data()));
  const std::string text = quoted(message.empty() ? standard_message(code) : message);
  append_parts(out, {R"({"jsonrpc":"2.0","id":)", id, R"(,"error":{"code":)", number, R"(,"message":)", text,
                     data_json.empty() ? "" : R"(,"data":)", data_json, "}}"});
}

void append_raw_error(std::string& out, std::string_view id, std::string_view error_json) {
  append_parts(out, {R"({"jsonrpc":"2.0","id":)", id, R"(,"error":)", error_json, "}"});
}

void append_request(std::string& out, std::string_view id, std::string_view method,
                    std::string_view params_json) {
  append_parts(out, {R"({"jsonrpc":"2.0","id":)", id, R"(,"method":)", quoted(method),
                     params_json.empty() ? "" : R"(,"params":)", params_json, "}"});
}

std::optional<Answer> split_response(std::string_view text, std::uint32_t depth_max) {
  if (!is_valid_json(text, depth_max)) return std::nullopt;
  return take_apart(trimmed(text));
}

std::optional<std::vector<Answer>> split_responses(std::string_view text, std::uint32_t depth_max) {
  if (!is_valid_json(text, depth_max)) return std::nullopt;
  const std::string_view raw = trimmed(text);
  std::vector<Answer> answers;
  if (kind_of(raw) != Kind::array) {
    const std::optional<Answer> only = take_apart(raw);
    if (!only) return std::nullopt;
    answers.push_back(*only);
    return answers;
  }
  for (const std::string_view found : array_elements(raw)) {
    const std::optional<Answer> answer = take_apart(found);
    if (!answer) return std::nullopt;
    answers.push_back(*answer);
  }
  return answers;
}

std::optional<std::string> replace_id(std::string_view raw, std::string_view id) {
  if (!is_valid_json(raw, kSpliceDepthMax)) return std::nullopt;
  const std::string_view object = trimmed(raw);
  const std::optional<std::string_view> old = find_id(object);
  if (!old) return std::nullopt;
  return spliced(object, *old, id);
}

ErrorObject read_error(std::string_view error_json) {
  ErrorObject error;
  for (const Member& found : object_members(error_json)) {
    if (is_called(found, "code")) {
      const char* const end = std::to_address(found.value.end());
      std::int64_t code = 0;
      const auto read = std::from_chars(std::to_address(found.value.begin()), end, code);
      if (read.ec == std::errc() && read.ptr == end) error.code = code;
    } else if (is_called(found, "message")) {
      error.message = string_copy(found.value).value_or(std::string());
    } else if (is_called(found, "data")) {
      error.data = found.value;
    }
  }
  return error;
}

}  // namespace fanfare::jsonrpc
