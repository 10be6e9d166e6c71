#include "gateway/shared_reads.h"

#include <utility>

#include "base/guard.h"
#include "eth/hex.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/methods.h"
#include "upstream/settled.h"

namespace fanfare::gateway {
namespace {

// How often the final block is queried, while clients read blocks by number.
constexpr Duration kFinalEvery = std::chrono::seconds(15);
// A node that does not support the tag is not asked for it again for so long.
constexpr Duration kFinalUnknownFor = std::chrono::minutes(10);

std::optional<std::uint64_t> number_of_block(const upstream::Result& result) {
  if (!result) return std::nullopt;
  const auto answer = upstream::answer_of(*result);
  if (!answer || answer->result.empty()) return std::nullopt;
  const auto raw = jsonrpc::member(answer->result, "number");
  const auto text = raw ? jsonrpc::string_value(*raw) : std::nullopt;
  return text ? eth::parse_quantity(*text) : std::nullopt;
}

}  // namespace

SharedReads::SharedReads(upstream::Executor& executor, upstream::Backend& backend, NetworkMetrics& metrics,
                         std::size_t cache_bytes_max, upstream::Pool* pool)
    : executor_(executor),
      backend_(backend),
      metrics_(metrics),
      cache_bytes_max_(cache_bytes_max),
      steady_(executor, backend, pool),
      cache_({.bytes_max = cache_bytes_max}) {
  steady_.on_shorter([this](std::uint64_t number) {
    chain_went_back(number);
    if (shorter_) shorter_();
  });
}

std::optional<SharedReads::Read> SharedReads::read_of(std::string_view method, std::string_view params) {
  if (upstream::repeat_of(method) != upstream::Repeat::always) return std::nullopt;
  Read read{.key = upstream::request_key(method, params)};
  read.settled = upstream::settled_from(method, params);
  read.by_number = read.settled.value_or(0) > 0;
  if (method == "eth_getBlockByNumber") {
    const auto text = jsonrpc::string_value(jsonrpc::element(params, 0).value_or(""));
    if (text) read.block = eth::parse_quantity(*text);
  }
  read.empty_may_be_early = method == "eth_getLogs";
  return read;
}

bool SharedReads::stands(const Read& read) const {
  return cache_bytes_max_ > 0 && read.settled && *read.settled <= final_number_;
}

std::optional<SharedBytes> SharedReads::kept(const Read& read) {
  if (cache_bytes_max_ == 0 || !read.settled) return std::nullopt;
  if (!stands(read)) {
    learn_final();
    return std::nullopt;
  }
  auto result = cache_.find(read.key);
  (result ? metrics_.cache_hits : metrics_.cache_misses).add();
  return result;
}

std::optional<SharedReads::Ticket> SharedReads::join(const Read& read, upstream::Coalescer::Need need,
                                                     Waiter waiter) {
  metrics_.reads.add();
  need.begun_after = last_write_;
  const auto ticket = coalescer_.join(read.key, std::move(need), executor_.now(), std::move(waiter));
  if (!ticket) metrics_.reads_shared.add();
  return ticket;
}

void SharedReads::finish(Ticket ticket, const Read& read, upstream::Result result) {
  // Other callers wait for this: a failure to cache the answer must not keep it from them.
  if (stands(read) && read.generation == generation_) {
    run_guarded("the cache of answers", [&] { keep(read, result); });
  }
  coalescer_.finish(ticket, std::move(result));
}

void SharedReads::keep(const Read& read, const upstream::Result& result) {
  if (!result) return;
  const auto answer = upstream::answer_of(*result);
  if (!answer || answer->result.empty()) return;
  // A node's mistake must not be cached for ever.
  if (read.block && number_of_block(result) != read.block) return;
  if (read.empty_may_be_early && jsonrpc::element_count(answer->result) == 0) return;
  cache_.put(read.key, SharedBytes(as_bytes(answer->result)));
  metrics_.cache_bytes.set(static_cast<std::int64_t>(cache_.bytes()));
}

void SharedReads::wrote() {
  // A call begun at this very instant counts as begun before.
  last_write_ = executor_.now() + Duration(1);
}

void SharedReads::learn_final() {
  const Instant now = executor_.now();
  if (now < final_due_) return;
  final_due_ = now + kFinalEvery;
  std::string request;
  jsonrpc::append_request(request, "0", "eth_getBlockByNumber", R"(["finalized",false])");
  upstream::CallOptions options = upstream::options_for("eth_getBlockByNumber");
  options.for_source = true;
  backend_.call(std::move(request), std::move(options),
                [this, alive = std::weak_ptr(alive_)](const upstream::Result& result) {
                  if (alive.expired()) return;
                  if (const auto number = number_of_block(result)) {
                    final_number_ = *number;
                  } else if (result) {
                    final_due_ = executor_.now() + kFinalUnknownFor;
                  }
                });
}

void SharedReads::chain_went_back(std::uint64_t number) {
  if (number < final_number_) forget();
}

void SharedReads::forget() {
  ++generation_;
  final_number_ = 0;
  final_due_ = {};
  cache_.clear();
  metrics_.cache_bytes.set(0);
}

}  // namespace fanfare::gateway
