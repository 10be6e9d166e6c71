#include "jsonrpc/response.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <memory>
#include <utility>

#include "base/check.h"
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

std::string_view between(const char* from, const char* to) {
  return {from, static_cast<std::size_t>(to - from)};
}

// Steps over one object, whose opening brace is next, and visits its members. False: not JSON.
template <typename Visit>
bool scan_members(Scanner& scanner, std::uint32_t depth_max, Visit&& visit) {
  if (depth_max == 0 || !scanner.consume('{')) return false;
  scanner.skip_space();
  if (scanner.consume('}')) return true;
  for (;;) {
    Member found;
    const char* const quote = scanner.at();
    if (!scanner.skip_string(&found.name_escaped)) return false;
    found.name = between(quote + 1, scanner.at() - 1);
    scanner.skip_space();
    if (!scanner.consume(':')) return false;
    scanner.skip_space();
    const char* const from = scanner.at();
    if (!scanner.skip_value(depth_max - 1)) return false;
    found.value = between(from, scanner.at());
    visit(found);
    scanner.skip_space();
    if (scanner.consume('}')) return true;
    if (!scanner.consume(',')) return false;
    scanner.skip_space();
  }
}

// Runs `scan` on the only value of a text, which is an object. False: the text is not one JSON object.
template <typename Scan>
bool scan_only_object(std::string_view text, Scan&& scan) {
  Scanner scanner(text);
  scanner.skip_space();
  if (scanner.peek() != '{' || !scan(scanner)) return false;
  scanner.skip_space();
  return scanner.at_end();
}

// Whether the members make a response or a notification. Removes the nulls of JSON-RPC 1.
bool is_whole(Answer& answer, std::string_view method) {
  if (!method.empty()) {
    if (kind_of(method) != Kind::string || method.size() <= 2) return false;
    answer.method = method.substr(1, method.size() - 2);
    return answer.id.empty() && answer.result.empty() && answer.error.empty();
  }
  if (answer.error == "null" && !answer.result.empty()) {
    answer.error = {};
    answer.is_plain = false;
  }
  if (kind_of(answer.error) == Kind::object && answer.result == "null") answer.result = {};
  const Kind id = kind_of(answer.id);
  if (id != Kind::number && id != Kind::string && id != Kind::null) return false;
  if (answer.result.empty() == answer.error.empty()) return false;
  return answer.error.empty() || kind_of(answer.error) == Kind::object;
}

// Reads one object, whose opening brace is next. False: not JSON. `read` stays empty if it is no answer.
bool read_answer(Scanner& scanner, std::uint32_t depth_max, std::optional<Answer>& read) {
  Answer answer;
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
  bool repeats = false;
  bool has_others = false;
  bool has_version = false;
  const char* const from = scanner.at();
  const bool is_json = scan_members(scanner, depth_max, [&](const Member& found) {
    const Slot* const slot =
        std::ranges::find_if(slots, [&](const Slot& one) { return is_called(found, one.name); });
    if (slot == slots.end()) {
      const bool is_version = is_called(found, "jsonrpc") && found.value == R"("2.0")";
      has_others = has_others || !is_version || std::exchange(has_version, true);
      return;
    }
    repeats = repeats || !slot->value->empty();
    *slot->value = found.value;
  });
  if (!is_json) return false;
  answer.raw = between(from, scanner.at());
  answer.is_plain = has_version && !has_others;
  if (!repeats && is_whole(answer, method)) read = answer;
  return true;
}

// The object of a text and the value of its only id; empty parts if there is no id, or several.
struct FoundId {
  std::string_view object;
  std::string_view id;
  std::size_t ids = 0;
  bool has_members = false;
};
std::optional<FoundId> find_id(std::string_view text) {
  FoundId found;
  const bool is_object = scan_only_object(text, [&](Scanner& scanner) {
    const char* const from = scanner.at();
    const bool is_json = scan_members(scanner, kSpliceDepthMax, [&](const Member& member) {
      found.has_members = true;
      if (!is_called(member, "id")) return;
      found.id = member.value;
      ++found.ids;
    });
    found.object = between(from, scanner.at());
    return is_json;
  });
  return is_object ? std::optional(found) : std::nullopt;
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

ScannedText scan_response(std::string_view text, std::uint32_t depth_max) {
  ScannedText scanned;
  scanned.is_object = scan_only_object(
      text, [&](Scanner& scanner) { return read_answer(scanner, depth_max, scanned.answer); });
  if (!scanned.is_object) scanned.answer.reset();
  return scanned;
}

std::optional<Answer> split_response(std::string_view text, std::uint32_t depth_max) {
  return scan_response(text, depth_max).answer;
}

std::optional<std::vector<Answer>> split_responses(std::string_view text, std::uint32_t depth_max) {
  Scanner scanner(text);
  scanner.skip_space();
  std::vector<Answer> answers;
  if (scanner.peek() != '[') {
    const std::optional<Answer> only = split_response(text, depth_max);
    if (!only) return std::nullopt;
    answers.push_back(*only);
    return answers;
  }
  if (depth_max == 0) return std::nullopt;
  scanner.consume('[');
  scanner.skip_space();
  bool more = !scanner.consume(']');
  while (more) {
    std::optional<Answer> answer;
    if (scanner.peek() != '{' || !read_answer(scanner, depth_max - 1, answer)) return std::nullopt;
    if (answer) answers.push_back(*answer);
    scanner.skip_space();
    more = scanner.consume(',');
    if (!more && !scanner.consume(']')) return std::nullopt;
    scanner.skip_space();
  }
  scanner.skip_space();
  if (!scanner.at_end()) return std::nullopt;
  return answers;
}

std::string to_version_1(std::string_view answer, std::string_view id) {
  constexpr std::string_view kHead = R"({"jsonrpc":"2.0","id":)";
  FANFARE_CHECK(answer.starts_with(kHead) && answer.ends_with('}'));
  std::string_view member = answer.substr(kHead.size() + id.size() + 1);  // with its name, behind a comma
  member.remove_suffix(1);
  const bool is_error = member.starts_with(R"("error":)");
  std::string text;
  append_parts(text, {is_error ? R"({"result":null,)" : "{", member, is_error ? "" : R"(,"error":null)",
                      R"(,"id":)", id, "}"});
  return text;
}

std::string with_new_id(const Answer& answer, std::string_view id) {
  return spliced(answer.raw, answer.id, id);
}

Answer answer_in(std::string_view text, const Answer& answer, std::string_view id) {
  const auto id_at = static_cast<std::size_t>(answer.id.data() - answer.raw.data());
  const auto moved = [&](std::string_view part) {
    if (part.empty()) return std::string_view();
    const auto at = static_cast<std::size_t>(part.data() - answer.raw.data());
    return text.substr(at > id_at ? at - answer.id.size() + id.size() : at, part.size());
  };
  return {.raw = text,
          .id = text.substr(id_at, id.size()),
          .result = moved(answer.result),
          .error = moved(answer.error),
          .method = {},
          .params = moved(answer.params),
          .is_plain = answer.is_plain};
}

std::optional<std::string> replace_id(std::string_view raw, std::string_view id) {
  const auto found = find_id(raw);
  if (!found || found->ids != 1) return std::nullopt;
  return spliced(found->object, found->id, id);
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
