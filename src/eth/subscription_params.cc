#include "eth/subscription_params.h"

#include <utility>

#include "eth/feeds/feed.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

using jsonrpc::Kind;

constexpr int kMethodNotFound = -32601;
constexpr std::size_t kQuotedMax = 64;  // the longest client text quoted in an error message

std::unexpected<RpcError> error(int code, std::string message) {
  return std::unexpected(RpcError{.code = code, .message = std::move(message)});
}

std::unexpected<RpcError> invalid(std::string message) {
  return error(RpcError::kInvalidParams, std::move(message));
}

bool is_absent(std::optional<std::string_view> raw) {
  return !raw || jsonrpc::kind_of(*raw) == Kind::null;
}

std::expected<void, RpcError> read_cursor(std::string_view raw, SubscriptionRequest& request) {
  const auto yes = jsonrpc::bool_value(raw);
  const auto text = jsonrpc::string_copy(raw);
  if (!yes && !text) return invalid("the option cursor must be true or a cursor");
  if (yes && !*yes) return {};
  const FeedType& type = feed_type(request.type);
  if (yes && type.cursor == CursorOption::notices) {
    request.ends_with_notice = true;
    return {};
  }
  if (type.cursor != CursorOption::resumes) {
    return invalid(std::string(type.name) + " cannot be resumed, so it has no cursor");
  }
  request.has_cursors = true;
  if (!text) return {};
  request.resume_from = parse_cursor(*text);
  if (!request.resume_from) return invalid("invalid cursor: \"" + text->substr(0, kQuotedMax) + "\"");
  return {};
}

std::expected<void, RpcError> read_slow(std::string_view raw, SubscriptionRequest& request) {
  const auto text = jsonrpc::string_value(raw);
  if (text != "close" && text != "latest") return invalid("the option slow must be close or latest");
  request.latest_if_slow = text == "latest";
  const FeedType& type = feed_type(request.type);
  if (!request.latest_if_slow || type.latest_if_slow) return {};
  return invalid(std::string(type.name) + " cannot be reduced to its latest value, so slow must be close");
}

std::expected<void, RpcError> read_options(std::optional<std::string_view> raw,
                                           SubscriptionRequest& request) {
  if (is_absent(raw)) return {};
  if (jsonrpc::kind_of(*raw) != Kind::object) return invalid("the options must be an object");
  for (const jsonrpc::Member& member : jsonrpc::object_members(*raw)) {
    if (jsonrpc::kind_of(member.value) == Kind::null) continue;
    // Unknown options are rejected: the client may rely on their effect.
    if (member.name != "cursor" && member.name != "slow") {
      return invalid("unknown option \"" + std::string(member.name.substr(0, kQuotedMax)) + "\"");
    }
    auto read = member.name == "slow" ? read_slow(member.value, request) : read_cursor(member.value, request);
    if (!read) return read;
  }
  return {};
}

std::optional<SubscriptionType> type_named(std::string_view name, SubscriptionTypes types) {
  for (std::size_t i = 0; i < kSubscriptionTypes; ++i) {
    const auto type = static_cast<SubscriptionType>(i);
    if (types[i] && name_of(type) == name) return type;
  }
  return std::nullopt;
}

}  // namespace

std::expected<SubscriptionRequest, RpcError> parse_subscription(std::string_view params_json,
                                                                SubscriptionTypes types) {
  const auto first = jsonrpc::element(params_json, 0);
  if (!first) return invalid("missing value for required argument 0");
  const auto name = jsonrpc::string_copy(*first);
  if (!name) return invalid("the subscription's name must be a string");
  const auto type = type_named(*name, types);
  if (!type) {
    return error(kMethodNotFound, "no \"" + name->substr(0, kQuotedMax) + "\" subscription in eth namespace");
  }
  SubscriptionRequest request{.type = *type, .topic = *name, .own = {}, .resume_from = {}};
  const FeedType& row = feed_type(*type);
  const std::size_t options = row.has_parameter ? 2 : 1;  // parameters before the options
  if (row.has_parameter) {
    const auto own = jsonrpc::element(params_json, 1);
    if (auto read = row.parse(own.value_or(std::string_view{}), request); !read) {
      return invalid(std::move(read.error()));
    }
  }
  if (auto read = read_options(jsonrpc::element(params_json, options), request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (jsonrpc::element_count(params_json) > options + 1) {
    return invalid("too many arguments, want at most " + std::to_string(options + 1));
  }
  if (request.has_cursors || request.ends_with_notice) request.topic += "#cursor";
  return request;
}

}  // namespace fanfare::eth
