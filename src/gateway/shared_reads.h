#pragma once
// What many ask is asked once: identical reads under way share one call, and answers that cannot change any
// more are kept. Of one network; on the worker's thread.
//
//   kept(read)   -> the result, from memory
//   join(read)   -> waits for somebody's call; or a ticket: the caller makes the call and finish()es it
//
// Nobody is given what was asked for before the last write that came through here: who has just sent a
// transaction must not read the nonce of before. Nor what a node said that is below a block the asker was
// shown.

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

  // A question, as far as it matters whether two are the same.
  struct Read {
    std::string key;
    bool by_number = false;                // of a block's number: it stands once that block is final
    std::optional<std::uint64_t> settled;  // as settled_from()
    std::uint64_t generation = 0;          // of what is kept, when the call for it begins
    std::optional<std::uint64_t> block;    // of eth_getBlockByNumber: the number its answer must have
    bool empty_may_be_early = false;       // an empty list may mean that the node does not have the block yet
  };

  // `pool`: the backend, if it is one. `cache_bytes_max` zero: nothing is kept. Everything referred to
  // outlives this.
  SharedReads(upstream::Executor& executor, upstream::Backend& backend, NetworkMetrics& metrics,
              std::size_t cache_bytes_max, upstream::Pool* pool = nullptr);
  SharedReads(const SharedReads&) = delete;
  SharedReads& operator=(const SharedReads&) = delete;

  // Empty: not a read, to be asked for by whoever asked. `params` is valid JSON or empty.
  static std::optional<Read> read_of(std::string_view method, std::string_view params);

  // What keeps the answers from going back.
  SteadyReads& steady() { return steady_; }

  // The raw result.
  std::optional<SharedBytes> kept(const Read& read);
  // `need` without begun_after, which is known here.
  std::optional<Ticket> join(const Read& read, upstream::Coalescer::Need need, Waiter waiter);
  // The end of the ticket's call: a whole JSON-RPC answer, whatever its id, or a failure.
  void finish(Ticket ticket, const Read& read, upstream::Result result);

  // Something that may change what is read was sent, or has been answered.
  void wrote();
  // Blocks above `number` are of another branch now.
  void chain_went_back(std::uint64_t number);
  // Runs when an answer to a client shows that the chain went back, before it is announced. May be empty.
  void on_shorter(std::function<void()> then) { shorter_ = std::move(then); }
  // Another chain, or another past of this one: what was answered before, or is on its way, is not kept.
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
  std::uint64_t generation_ = 0;  // how often all was forgotten
  std::uint64_t final_number_ = 0;
  Instant final_due_{};  // not asked again before
  std::function<void()> shorter_;
  // Answers on their way back may outlive this.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fanfare::gateway
