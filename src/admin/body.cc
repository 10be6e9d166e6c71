#include "admin/body.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "jsonrpc/value.h"

namespace fanfare::admin {

Body::Body(std::string_view json, std::initializer_list<std::string_view> known) : json_(json) {
  if (json.empty()) return;
  if (!jsonrpc::is_valid_json(json)) {
    problem_ = Problem{.status = 400, .detail = "the body is not valid JSON, expected an object"};
    return;
  }
  while (!json_.empty() && std::string_view(" \t\r\n").contains(json_.front())) json_.remove_prefix(1);
  while (!json_.empty() && std::string_view(" \t\r\n").contains(json_.back())) json_.remove_suffix(1);
  if (jsonrpc::kind_of(json_) != jsonrpc::Kind::object) {
    problem_ = Problem{.status = 400, .detail = "the body is not an object"};
    return;
  }
  for (const jsonrpc::Member& member : jsonrpc::object_members(json_)) {
    if (std::ranges::find(known, member.name) != known.end()) continue;
    problem_ = Problem{.status = 400,
                       .detail = joined({member.name, " is not a member of this request"}),
                       .parameter = std::string(member.name),
                       .value = std::string(member.value)};
    return;
  }
}

std::optional<std::string_view> Body::raw(std::string_view name) const {
  if (problem_ || json_.empty()) return std::nullopt;
  return jsonrpc::member(json_, name);
}

void Body::fail(std::string_view name, std::string_view value, std::string_view expected) {
  if (problem_) return;
  problem_ = Problem{.status = 400,
                     .detail = joined({name, " must be ", expected}),
                     .parameter = std::string(name),
                     .value = std::string(value)};
}

void Body::require(std::string_view name) {
  if (!problem_ && !raw(name)) fail(name, "", "given");
}

bool Body::read(std::string_view name, bool& out) {
  const auto text = raw(name);
  if (!text) return false;
  const auto value = jsonrpc::bool_value(*text);
  if (!value) {
    fail(name, *text, "true or false");
    return false;
  }
  out = *value;
  return true;
}

bool Body::read(std::string_view name, std::string& out) {
  const auto text = raw(name);
  if (!text) return false;
  auto value = jsonrpc::string_copy(*text);
  if (!value) {
    fail(name, *text, "a text");
    return false;
  }
  out = *std::move(value);
  return true;
}

bool Body::read(std::string_view name, double& out, double least, double most) {
  const auto text = raw(name);
  if (!text) return false;
  double value = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool is_number = read.ec == std::errc() && read.ptr == text->data() + text->size();
  if (!is_number || value < least || value > most) {
    fail(name, *text,
         "a number from " + std::to_string(static_cast<std::int64_t>(least)) + " to " +
             std::to_string(static_cast<std::int64_t>(most)));
    return false;
  }
  out = value;
  return true;
}

}  // namespace fanfare::admin
