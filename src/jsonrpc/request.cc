#include "jsonrpc/request.h"

#include <array>
#include <cstdint>

#include "jsonrpc/scan.h"
#include "jsonrpc/value.h"

namespace fanfare::jsonrpc {
namespace {

constexpr Error kParseError{ErrorCode::parse_error, "Parse error"};
constexpr Error kEmptyBatch{ErrorCode::invalid_request, "Invalid Request: empty batch"};
constexpr std::string_view kTooDeep = "Invalid Request: nested too deep";
constexpr Error kBatchTooLarge{ErrorCode::invalid_request, "Invalid Request: batch too large"};

std::string_view between(const char* from, const char* to) {
  return {from, static_cast<std::size_t>(to - from)};
}

// The members of a request, as they appear in the text.
struct Found {
  std::string_view version;
  std::string_view id;
  std::string_view method;
  std::string_view params;
  bool duplicate = false;
  bool too_deep = false;

  std::string_view* slot(std::string_view name) {
    if (name == "jsonrpc") return &version;
    if (name == "id") return &id;
    if (name == "method") return &method;
    if (name == "params") return &params;
    return nullptr;
  }
};

bool is_valid_id(std::string_view id) {
  switch (kind_of(id)) {
    case Kind::null:
    case Kind::number:
    case Kind::string:
      return true;
    case Kind::boolean:
    case Kind::array:
    case Kind::object:
    case Kind::none:
      return false;
  }
  return false;
}

bool has_version_1(const Found& found) {
  return found.version.empty() || found.version == "\"1.0\"" || found.version == "\"1.1\"";
}

// Why these members are not a valid request; empty if they are. JSON-RPC 2.0 §4.
std::string_view find_fault(const Found& found, bool version_1) {
  // Two readers may choose different members of a duplicate pair, but upstream must run exactly what was
  // checked here.
  if (found.duplicate) return "Invalid Request: duplicate member";
  if (found.too_deep) return kTooDeep;
  if (found.version != "\"2.0\"" && !version_1) return "Invalid Request: jsonrpc must be \"2.0\"";
  if (!found.id.empty() && !is_valid_id(found.id)) {
    return "Invalid Request: id must be a string, a number or null";
  }
  if (kind_of(found.method) != Kind::string) return "Invalid Request: method must be a string";
  switch (kind_of(found.params)) {
    case Kind::none:
    case Kind::null:
    case Kind::array:
    case Kind::object:
      return {};
    case Kind::boolean:
    case Kind::number:
    case Kind::string:
      break;
  }
  return "Invalid Request: params must be an array or an object";
}

}  // namespace

std::string_view Parser::unescape(std::string_view content) {
  std::string& text = unescaped_.emplace_back();
  append_unescaped(text, content);
  return text;
}

// Parses one object, whose opening brace is next and which may itself be there. False: not JSON.
bool Parser::parse_object(Scanner& scanner, std::uint32_t depth_max, Request& request) {
  Found found;
  bool method_escaped = false;
  scanner.consume('{');
  scanner.skip_space();
  bool more = !scanner.consume('}');
  while (more) {
    const char* const quote = scanner.at();
    bool name_escaped = false;
    if (!scanner.skip_string(&name_escaped)) return false;
    std::string_view name = between(quote + 1, scanner.at() - 1);
    if (name_escaped) name = unescape(name);
    scanner.skip_space();
    if (!scanner.consume(':')) return false;
    scanner.skip_space();
    const char* const from = scanner.at();
    bool value_escaped = false;
    const bool valid =
        scanner.peek() == '"' ? scanner.skip_string(&value_escaped) : scanner.skip_value(depth_max - 1);
    if (!valid) {
      // The id may follow.
      if (!scanner.is_too_deep() || !scanner.skip_unchecked(from)) return false;
      found.too_deep = true;
    }
    if (std::string_view* slot = found.slot(name); slot != nullptr) {
      found.duplicate = found.duplicate || !slot->empty();
      *slot = between(from, scanner.at());
      if (slot == &found.method) method_escaped = value_escaped;
      if (slot == &found.version && value_escaped) *slot = unescape(*slot);
    }
    scanner.skip_space();
    more = scanner.consume(',');
    if (more) {
      scanner.skip_space();
    } else if (!scanner.consume('}')) {
      return false;
    }
  }
  request.is_version_1 = limits_.version_1 && has_version_1(found);
  if (request.is_version_1 && found.id.empty()) found.id = "null";
  request.fault = find_fault(found, request.is_version_1);
  request.params = found.params;
  request.id = found.id;
  if (kind_of(found.method) == Kind::string) {
    request.method = found.method.substr(1, found.method.size() - 2);
    if (method_escaped) request.method = unescape(request.method);
  }
  if (!request.fault.empty() && (found.duplicate || !is_valid_id(found.id))) request.id = "null";
  return true;
}

// Parses one element of a batch, or the only one. False: not JSON.
bool Parser::parse_element(Scanner& scanner, std::uint32_t depth_max) {
  const char* const from = scanner.at();
  Request request;
  if (scanner.peek() == '{' && depth_max > 0) {
    if (!parse_object(scanner, depth_max, request)) return false;
  } else {
    request.id = "null";
    request.fault = "Invalid Request: not an object";
    if (!scanner.skip_value(depth_max)) {
      if (!scanner.is_too_deep() || !scanner.skip_unchecked(from)) return false;
      request.fault = kTooDeep;
    }
  }
  request.raw = between(from, scanner.at());
  requests_.push_back(request);
  ++elements_read_;
  return true;
}

std::expected<Message, Error> Parser::parse(std::string_view text) {
  start(text);
  const auto whole = step(SIZE_MAX);
  if (!whole) return std::unexpected(whole.error());
  return whole->part;
}

void Parser::start(std::string_view text) {
  rest_ = text;
  is_batch_ = false;
  elements_read_ = 0;
}

std::expected<Parser::Step, Error> Parser::step(std::size_t elements_max) {
  requests_.clear();
  unescaped_.clear();
  Scanner scanner(rest_);
  if (!is_batch_) {
    scanner.skip_space();
    is_batch_ = scanner.consume('[');
    if (!is_batch_) {
      if (!parse_element(scanner, limits_.depth_max)) return std::unexpected(kParseError);
      return last_step(scanner);
    }
    if (limits_.depth_max == 0) return std::unexpected(kParseError);
    scanner.skip_space();
    if (scanner.consume(']')) return last_step(scanner);
  }
  do {
    if (elements_read_ == limits_.batch_elements_max) return std::unexpected(kBatchTooLarge);
    if (!parse_element(scanner, limits_.depth_max - 1)) return std::unexpected(kParseError);
    scanner.skip_space();
    if (!scanner.consume(',')) {
      if (!scanner.consume(']')) return std::unexpected(kParseError);
      return last_step(scanner);
    }
    scanner.skip_space();
  } while (requests_.size() < elements_max);
  rest_.remove_prefix(static_cast<std::size_t>(scanner.at() - rest_.data()));
  return Step{.part = {.batch = true, .requests = requests_}, .last = false};
}

// Behind the only request, or behind the batch.
std::expected<Parser::Step, Error> Parser::last_step(Scanner& scanner) {
  scanner.skip_space();
  if (!scanner.at_end()) return std::unexpected(kParseError);
  if (elements_read_ == 0) return std::unexpected(kEmptyBatch);
  return Step{.part = {.batch = is_batch_, .requests = requests_}, .last = true};
}

}  // namespace fanfare::jsonrpc
