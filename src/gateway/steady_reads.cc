#include "gateway/steady_reads.h"

#include <algorithm>
#include <utility>

#include "eth/hex.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/methods.h"

namespace fanfare::gateway {
namespace {

// After so many tries on other nodes, the highest answer is used as it is.
constexpr std::uint32_t kTriesMax = 3;

std::string_view result_of(const upstream::Result& result) {
  if (!result) return "";
  const auto answer = upstream::answer_of(*result);
  return answer ? answer->result : std::string_view();
}

bool is_null(const upstream::Result& result) {
  return jsonrpc::kind_of(result_of(result)) == jsonrpc::Kind::null && !result_of(result).empty();
}

std::optional<std::uint64_t> quantity_of(std::string_view raw) {
  const auto text = jsonrpc::string_value(raw);
  return text ? eth::parse_quantity(*text) : std::nullopt;
}

// The height in a result of eth_blockNumber, or in a block.
std::optional<std::uint64_t> height_in(std::string_view raw) {
  if (raw.empty()) return std::nullopt;
  if (jsonrpc::kind_of(raw) == jsonrpc::Kind::string) return quantity_of(raw);
  const auto number = jsonrpc::member(raw, "number");
  return number ? quantity_of(*number) : std::nullopt;
}

std::optional<std::uint64_t> height_of(const upstream::Result& result) {
  return height_in(result_of(result));
}

}  // namespace

struct SteadyReads::Asked {
  Request request;
  upstream::CallOptions options;
  upstream::Done done;
  Kind kind;
  Instant deadline{};
  std::uint32_t tries = 0;
  std::uint64_t shown_before = 0;  // of the request's measure
  // The highest of several answers.
  std::optional<upstream::Result> best;
  std::uint64_t best_height = 0;
  std::size_t open = 0;  // of a request to several nodes at once

  std::string text() const {
    std::string text;
    jsonrpc::append_request(text, request.id, request.method, request.params);
    return text;
  }
};

SteadyReads::Kind SteadyReads::kind_of(const Request& request) {
  Kind kind;
  const std::string_view method = request.method;
  const auto first = jsonrpc::element(request.params, 0).value_or("");
  if (method == "eth_blockNumber") {
    kind.measure = kLatest;
  } else if (method == "eth_getBlockByNumber") {
    const auto text = jsonrpc::string_value(first).value_or("");
    if (text == "latest") kind.measure = kLatest;
    if (text == "safe") kind.measure = kSafe;
    if (text == "finalized") kind.measure = kFinalized;
    kind.number = eth::parse_quantity(text);
  } else if (method == "eth_getTransactionByHash" || method == "eth_getTransactionReceipt" ||
             method == "eth_getRawTransactionByHash") {
    kind.transaction = jsonrpc::string_value(first).value_or("");
  } else if (method == "eth_getTransactionCount") {
    kind.is_pending_nonce =
        jsonrpc::string_value(jsonrpc::element(request.params, 1).value_or("")) == "pending";
  } else {
    kind.sends = method == "eth_sendRawTransaction" || method == "eth_sendTransaction";
  }
  return kind;
}

void SteadyReads::head_announced(std::uint64_t number) {
  shown_[kLatest] = std::max(shown_[kLatest], number);
}

void SteadyReads::chain_went_back(std::uint64_t number) {
  ++times_back_;
  for (std::uint64_t& shown : shown_) shown = std::min(shown, number);
}

void SteadyReads::call(Request request, upstream::CallOptions options, upstream::Done done) {
  auto asked = std::make_shared<Asked>();
  asked->kind = kind_of(request);
  if (asked->kind.measure) asked->shown_before = shown_[*asked->kind.measure];
  asked->request = std::move(request);
  if (options.timeout) asked->deadline = executor_.now() + *options.timeout;
  options.id = asked->request.id;
  asked->options = std::move(options);
  asked->done = std::move(done);
  const bool several = pool_ != nullptr && pool_->size() > 1;
  if (asked->kind.is_pending_nonce && several && !sent_.members(executor_.now()).empty()) {
    return ask_all_senders(asked);
  }
  ask(asked);
}

void SteadyReads::ask(const AskedPtr& asked) {
  upstream::CallOptions options = asked->options;
  // All tries together have the timeout of one call.
  if (options.timeout) {
    options.timeout = std::max<Duration>(asked->deadline - executor_.now(), std::chrono::milliseconds(1));
  }
  backend_.call(asked->text(), std::move(options),
                [this, asked](upstream::Result result) { take(asked, std::move(result)); });
}

void SteadyReads::take(const AskedPtr& asked, upstream::Result result) {
  // After a shutdown no member may be accessed.
  const bool ended = !result && result.error().kind == upstream::FailureKind::shutdown;
  if (!ended && result && pool_ != nullptr) {
    if (asked->kind.sends) note_sent(result);
    const auto& measure = asked->kind.measure;
    if (measure && *measure != kLatest && height_of(result).value_or(UINT64_MAX) < shown_[*measure] &&
        !result->gave_way && asked->tries == 0) {
      return show_block(asked, *measure, std::move(result));
    }
    if (measure && take_measure(asked, result)) return;
    if (is_null(result) && take_null(asked, result)) return;
  }
  asked->done(std::move(result));
}

// True: the request is repeated. Otherwise `result` is the answer.
bool SteadyReads::take_measure(const AskedPtr& asked, upstream::Result& result) {
  const Measure measure = *asked->kind.measure;
  auto number = height_of(result);
  if (!number) return false;
  std::uint64_t& shown = shown_[measure];
  if (*number >= shown) {
    shown = *number;
    if (measure == kLatest) pool_->block_seen(result->member, *number);
    return false;
  }
  // A node that gave way for lack of a higher block may not have been the one with this block.
  const bool nobody_has_it = result->gave_way && asked->options.head_min <= shown;
  if (measure == kLatest && !nobody_has_it) {
    if (!asked->best || *number > asked->best_height) {
      asked->best_height = *number;
      asked->best = result;
    }
    if (asked->tries < kTriesMax) {
      ++asked->tries;
      pool_->head_seen(result->member, *number);
      asked->options.head_min = shown;
      ask(asked);
      return true;
    }
    // The last answer may be a node's mistake. One that heads overtook while it came does not show that the chain
    // went back.
    number = asked->best_height;
    result = *std::move(asked->best);
    if (*number >= asked->shown_before) return false;
  }
  shown = *number;  // the chain went back
  ++times_back_;
  if (measure == kLatest && shorter_) shorter_(*number);
  return false;
}

// True: another node is tried.
bool SteadyReads::take_null(const AskedPtr& asked, const upstream::Result& result) {
  if (asked->tries >= std::min<std::size_t>(kTriesMax, std::max<std::size_t>(pool_->size(), 1) - 1))
    return false;
  const Kind& kind = asked->kind;
  if (kind.number && *kind.number <= shown_[kLatest] && !result->gave_way) {
    asked->options.attempt = ++asked->tries;
    ask(asked);
    return true;
  }
  const auto taker =
      kind.transaction.empty() ? std::nullopt : sent_.member_of(kind.transaction, executor_.now());
  if (!taker || *taker == result->member) return false;
  asked->tries = kTriesMax;
  asked->options.member = taker;
  asked->options.head_min = asked->options.head_preferred = 0;
  ask(asked);
  return true;
}

// A node that knows an older final block may well have the newer one.
void SteadyReads::show_block(const AskedPtr& asked, Measure measure, upstream::Result older) {
  ++asked->tries;
  const std::string hydrated(jsonrpc::element(asked->request.params, 1).value_or("false"));
  Request by_number{.method = asked->request.method,
                    .params = "[\"" + eth::to_quantity(shown_[measure]) + "\"," + hydrated + "]",
                    .id = asked->request.id};
  upstream::CallOptions options = asked->options;
  options.head_min = shown_[measure];
  call(std::move(by_number), std::move(options),
       [this, asked, measure, older = std::move(older)](upstream::Result newer) mutable {
         const bool ended = !newer && newer.error().kind == upstream::FailureKind::shutdown;
         if (ended || height_of(newer)) return asked->done(std::move(newer));
         shown_[measure] = height_of(older).value_or(0);  // the chain went back
         asked->done(std::move(older));
       });
}

void SteadyReads::ask_all_senders(const AskedPtr& asked) {
  const std::vector<std::size_t> members = sent_.members(executor_.now());
  asked->open = members.size() + 1;
  backend_.call(asked->text(), asked->options,
                [asked](upstream::Result result) { take_nonce(asked, std::move(result)); });
  for (const std::size_t member : members) ask_sender(asked, member, /*is_first=*/true);
}

// A member that fails is called once more, because the other members' nonces may be too low.
void SteadyReads::ask_sender(const AskedPtr& asked, std::size_t member, bool is_first) {
  upstream::CallOptions options = asked->options;
  options.member = member;
  options.head_min = options.head_preferred = 0;
  if (options.timeout) {
    options.timeout = std::max<Duration>(asked->deadline - executor_.now(), std::chrono::milliseconds(1));
  }
  backend_.call(asked->text(), std::move(options), [this, asked, member, is_first](upstream::Result result) {
    const bool ended = !result && result.error().kind == upstream::FailureKind::shutdown;
    const bool in_time = !asked->options.timeout || executor_.now() < asked->deadline;
    if (!result && !ended && is_first && in_time) return ask_sender(asked, member, /*is_first=*/false);
    take_nonce(asked, std::move(result));
  });
}

// The highest counts.
void SteadyReads::take_nonce(const AskedPtr& asked, upstream::Result result) {
  const auto is_better = [&] {
    if (!asked->best) return true;
    const auto number = result ? quantity_of(result_of(result)) : std::nullopt;
    const auto before = *asked->best ? quantity_of(result_of(*asked->best)) : std::nullopt;
    return number && (!before || *number > *before);
  };
  if (is_better()) asked->best = std::move(result);
  if (--asked->open == 0) asked->done(std::move(*asked->best));
}

void SteadyReads::note_sent(const upstream::Result& result) {
  if (const auto hash = jsonrpc::string_value(result_of(result))) {
    sent_.note(std::string(*hash), result->member, executor_.now());
  }
}

bool SteadyReads::accepts(const Request& request, const upstream::Result& result) {
  if (pool_ == nullptr || !result) return true;
  const Kind kind = kind_of(request);
  if (kind.sends) note_sent(result);
  if (kind.is_pending_nonce) return pool_->size() < 2 || sent_.members(executor_.now()).empty();
  if (is_null(result)) {
    const bool was_shown = kind.number && *kind.number <= shown_[kLatest] && pool_->size() > 1;
    return !was_shown && (kind.transaction.empty() || !sent_.member_of(kind.transaction, executor_.now()));
  }
  const auto height = kind.measure ? height_of(result) : std::nullopt;
  if (!height) return true;
  if (*height < shown_[*kind.measure]) return false;
  shown_[*kind.measure] = *height;
  if (*kind.measure == kLatest) pool_->block_seen(result->member, *height);
  return true;
}

void SteadyReads::delivered_late(const Request& request, std::string_view answer_json) {
  const Kind kind = kind_of(request);
  const auto answer = kind.measure ? jsonrpc::split_response(answer_json) : std::nullopt;
  const auto height = answer ? height_in(answer->result) : std::nullopt;
  if (height) shown_[*kind.measure] = std::max(shown_[*kind.measure], *height);
}

}  // namespace fanfare::gateway
