#pragma once
// Identical reads are made once: reads in flight share one call, and answers that cannot change are cached.
// For one network; on the worker's thread.
//
//   kept(read)   -> the result, from the cache
//   join(read)   -> waits for another caller's call; or a ticket: the caller makes the call and finish()es it
//
// No caller gets an answer from before the last write that passed here: a client that has just sent a
// transaction must not read the nonce of before. Nor does a caller get an answer below a block it was shown.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/shared_bytes.h"
#include "gateway/metrics.h"
#include "gateway/steady_reads.h"
#include "upstream/answer_cache.h"
#include "upstream/backend.h"
#include "upstream/coalescer.h"
#include "upstream/executor.h"

namespace fanfare::gateway {

class SharedReads {
 public:
  using Ticket = upstream::Coalescer::Ticket;
  using Waiter = upstream::Coalescer::Waiter;

  // The parts of a request that decide whether two are identical.
  struct Read {
    std::string key;
    bool by_number = false;                // by a block's number: permanent once that block is final
    std::optional<std::uint64_t> settled;  // the result of settled_from()
    std::uint64_t generation = 0;          // of the cache, when the call for it begins
    std::optional<std::uint64_t> block;    // of eth_getBlockByNumber: the number its answer must have
    bool empty_may_be_early = false;       // an empty list may mean that the node does not have the block yet
  };

  // `pool`: the backend, if it is one. `cache_bytes_max` zero: nothing is cached. Everything referred to must
  // outlive this object.
  SharedReads(upstream::Executor& executor, upstream::Backend& backend, NetworkMetrics& metrics,
              std::size_t cache_bytes_max, upstream::Pool* pool = nullptr);
  SharedReads(const SharedReads&) = delete;
  SharedReads& operator=(const SharedReads&) = delete;

  // Empty: not a shareable read; the caller makes its own call. `params` is valid JSON or empty.
  static std::optional<Read> read_of(std::string_view method, std::string_view params);

  // Keeps the answers from going back in time.
  SteadyReads& steady() { return steady_; }

  // The raw cached result.
  std::optional<SharedBytes> kept(const Read& read);
  // `need` without begun_after, which is set here.
  std::optional<Ticket> join(const Read& read, upstream::Coalescer::Need need, Waiter waiter);
  // Passes the end of the ticket's call: a complete JSON-RPC answer with any id, or a failure.
  void finish(Ticket ticket, const Read& read, upstream::Result result);

  // A call that may change what is read was sent, or was answered.
  void wrote();
  // Blocks above `number` now belong to another branch.
  void chain_went_back(std::uint64_t number);
  // Runs when an answer to a client shows that the chain went back, before that is announced. May be empty.
  void on_shorter(std::function<void()> then) { shorter_ = std::move(then); }
  // Another chain, or a rewritten past: earlier answers, and those in flight, are not cached.
  void forget();
  std::uint64_t generation() const { return generation_; }

 private:
  bool stands(const Read& read) const;
  void keep(const Read& read, const upstream::Result& result);
  void learn_final();

  upstream::Executor& executor_;
  upstream::Backend& backend_;
  NetworkMetrics& metrics_;
  std::size_t cache_bytes_max_;
  SteadyReads steady_;
  upstream::Coalescer coalescer_;
  upstream::AnswerCache cache_;
  Instant last_write_{};
  std::uint64_t generation_ = 0;  // how often everything was forgotten
  std::uint64_t final_number_ = 0;
  Instant final_due_{};  // not queried again before
  std::function<void()> shorter_;
  // Pending answers may outlive this object.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fanfare::gateway
