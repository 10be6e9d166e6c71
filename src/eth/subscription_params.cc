#include "eth/subscription_params.h"

#include <algorithm>
#include <array>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

using jsonrpc::Kind;

constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr std::size_t kQuotedMax = 64;  // the longest client text quoted in an error message

constexpr std::array<std::string_view, kSubscriptionTypes> kTypeNames = {
    "newHeads", "logs", "newPendingTransactions", "syncing", "transactionReceipts"};

std::unexpected<RpcError> error(int code, std::string message) {
  return std::unexpected(RpcError{.code = code, .message = std::move(message)});
}

std::unexpected<RpcError> invalid(std::string message) {
  return error(kInvalidParams, std::move(message));
}

bool is_absent(std::optional<std::string_view> raw) {
  return !raw || jsonrpc::kind_of(*raw) == Kind::null;
}

bool is_absent_or_empty(std::optional<std::string_view> raw) {
  if (is_absent(raw)) return true;
  if (jsonrpc::kind_of(*raw) != Kind::object) return false;
  const auto members = jsonrpc::object_members(*raw);
  return members.begin() == members.end();
}

std::expected<void, RpcError> read_pending(std::optional<std::string_view> raw, std::string& topic) {
  if (is_absent_or_empty(raw)) return {};
  const auto whole = jsonrpc::bool_value(*raw);
  if (!whole) return invalid("the second parameter must be true or false");
  if (*whole) topic = kPendingBodiesTopic;
  return {};
}

std::expected<void, RpcError> read_cursor(std::string_view raw, SubscriptionRequest& request) {
  const auto yes = jsonrpc::bool_value(raw);
  const auto text = jsonrpc::string_copy(raw);
  if (!yes && !text) return invalid("the option cursor must be true or a cursor");
  if (yes && !*yes) return {};
  if (yes && request.type == SubscriptionType::new_pending_transactions) {
    request.ends_with_notice = true;
    return {};
  }
  if (!is_resumable(request.type)) {
    return invalid(std::string(name_of(request.type)) + " cannot be resumed, so it has no cursor");
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
  if (!request.latest_if_slow || request.type == SubscriptionType::new_heads) return {};
  return invalid("only newHeads can be cut down to the latest");
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

// The number of parameters before the options, including the name.
std::size_t parameters_before_options(SubscriptionType type) {
  switch (type) {
    case SubscriptionType::new_heads:
    case SubscriptionType::syncing:
      return 1;
    case SubscriptionType::logs:
    case SubscriptionType::new_pending_transactions:
    case SubscriptionType::transaction_receipts:
      return 2;
  }
  return 1;
}

}  // namespace

std::string_view name_of(SubscriptionType type) {
  return kTypeNames[static_cast<std::size_t>(type)];
}

bool is_resumable(SubscriptionType type) {
  switch (type) {
    case SubscriptionType::new_heads:
    case SubscriptionType::logs:
    case SubscriptionType::transaction_receipts:
      return true;
    case SubscriptionType::new_pending_transactions:
    case SubscriptionType::syncing:
      return false;
  }
  return false;
}

std::expected<SubscriptionRequest, RpcError> parse_subscription(std::string_view params_json,
                                                                SubscriptionTypes types) {
  const auto first = jsonrpc::element(params_json, 0);
  if (!first) return invalid("missing value for required argument 0");
  const auto name = jsonrpc::string_copy(*first);
  if (!name) return invalid("the subscription's name must be a string");
  const auto* const known = std::ranges::find(kTypeNames, *name);
  const auto index = static_cast<std::size_t>(known - kTypeNames.begin());
  if (known == kTypeNames.end() || !types[index]) {
    return error(kMethodNotFound, "no \"" + name->substr(0, kQuotedMax) + "\" subscription in eth namespace");
  }

  SubscriptionRequest request{.type = static_cast<SubscriptionType>(index),
                              .topic = *name,
                              .filter = {},
                              .receipts = {},
                              .resume_from = {}};
  const std::size_t options = parameters_before_options(request.type);
  const auto own = options > 1 ? jsonrpc::element(params_json, 1) : std::nullopt;
  if (request.type == SubscriptionType::logs) {
    auto filter = parse_log_filter(own.value_or(std::string_view{}));
    if (!filter) return invalid(std::move(filter.error()));
    request.filter = std::move(*filter);
    request.topic.append(1, ':').append(request.filter.canonical());
  } else if (request.type == SubscriptionType::transaction_receipts) {
    auto filter = parse_receipt_filter(own.value_or(std::string_view{}));
    if (!filter) return invalid(std::move(filter.error()));
    request.receipts = std::move(*filter);
    request.topic.append(request.receipts.canonical());
  } else if (request.type == SubscriptionType::new_pending_transactions) {
    if (auto read = read_pending(own, request.topic); !read) return std::unexpected(std::move(read.error()));
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
