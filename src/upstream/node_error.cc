#include "upstream/node_error.h"

#include <algorithm>
#include <array>
#include <string>

#include "jsonrpc/response.h"

namespace fanfare::upstream {
namespace {

constexpr std::int64_t kMethodNotFound = -32601;
constexpr std::int64_t kMethodNotSupported = -32004;  // EIP-1474
constexpr std::int64_t kResourceUnavailable = -32002;
constexpr std::int64_t kLimitExceeded = -32005;  // EIP-1474
constexpr std::int64_t kRateLimited = -32016;    // used by providers
constexpr std::int64_t kTooManyRequests = 429;   // the HTTP status, as a code

// In lower case. Limits that concern the request itself ("query returned more than 10000 results", "block
// range is too wide") are not listed: another node of the same kind would give the same answer.
constexpr auto kLimitWords = std::to_array<std::string_view>({
    "rate limit",
    "rate-limit",
    "ratelimit",
    "too many requests",
    "request limit",
    "request count exceeded",
    "requests per second",
    "compute units",
    "capacity exceeded",
    "quota",
});
constexpr auto kLackingWords = std::to_array<std::string_view>({
    "missing trie node",
    "header not found",
    "unknown block",
    "block not found",
    "header for hash not found",
    "state not available",
    "state is not available",
    "historical state",
    "state histories haven't been fully indexed",
    "required historical state unavailable",
    "pruned",
    "no state available",
    "world state unavailable",
});
// These texts answer the request, whatever the code: -32005 also rejects a range of logs.
constexpr auto kAnswerWords = std::to_array<std::string_view>({
    "query returned more than",
    "block range",
    "response size",
    "logs matched by query exceeds",
});

bool has_any(std::string_view text, const auto& words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.contains(word); });
}

}  // namespace

NodeError judge_error(std::string_view error_json) {
  const jsonrpc::ErrorObject error = jsonrpc::read_error(error_json);
  std::string text = error.message;
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (has_any(text, kAnswerWords)) return NodeError::answer;
  if (error.code == kLimitExceeded || error.code == kRateLimited || error.code == kTooManyRequests) {
    return NodeError::limited;
  }
  if (has_any(text, kLimitWords)) return NodeError::limited;
  const bool lacks_method = error.code == kMethodNotFound || error.code == kMethodNotSupported;
  if (lacks_method || error.code == kResourceUnavailable) return NodeError::lacking;
  return has_any(text, kLackingWords) ? NodeError::lacking : NodeError::answer;
}

std::string_view digits_of_id(std::string_view raw) {
  if (raw.size() > 2 && raw.starts_with('"') && raw.ends_with('"')) return raw.substr(1, raw.size() - 2);
  if (raw.ends_with(".0")) raw.remove_suffix(2);
  return raw;
}

bool has_wrong_id(std::string_view asked, const Reply& reply) {
  if (asked.empty()) return false;
  const auto answer = answer_of(reply);
  if (!answer) return true;
  return digits_of_id(answer->id) != asked && !(answer->id == "null" && !answer->error.empty());
}

}  // namespace fanfare::upstream
