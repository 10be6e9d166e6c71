#pragma once
// Keeps a network's answers from going back in time, whichever of its nodes gives them and over whichever
// transport: eth_blockNumber, "latest", "safe" and "finalized" never decrease, a block that was shown is not
// null, and what was sent through here is seen by the reads that come after.
//
//   answer below what was shown   ->  another node; if no node has it, the chain itself went back, and the
//                                     answer is the new measure
//   finalized or safe below       ->  the block that was shown, requested by its number
//   null for a block shown        ->  another node
//   null for a transaction sent   ->  the node that took it
//   pending nonce after a send    ->  the highest of the usual node's and of those that took sends
//
// Of one network; on the worker's thread. With fewer than two nodes only the measure is kept.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/sent_transactions.h"
#include "upstream/backend.h"
#include "upstream/executor.h"
#include "upstream/pool.h"

namespace fanfare::gateway {

class SteadyReads {
 public:
  // A single request, as it goes to the node.
  struct Request {
    std::string method;
    std::string params;  // raw
    std::string id;      // raw
  };

  // `pool` is the backend when it is one; null: answers pass as they are. Everything outlives this.
  SteadyReads(upstream::Executor& executor, upstream::Backend& backend, upstream::Pool* pool)
      : executor_(executor), backend_(backend), pool_(pool) {}
  SteadyReads(const SteadyReads&) = delete;
  SteadyReads& operator=(const SteadyReads&) = delete;

  // The newest block that anyone was shown.
  std::uint64_t shown() const { return shown_[kLatest]; }
  // What the source announced: a head, which may be older than what a node has shown already; and that the
  // blocks above `number` are of the chain no more.
  void head_announced(std::uint64_t number);
  void chain_went_back(std::uint64_t number);
  // Runs when an answer shows that the chain is shorter than what was shown: no node has more than `number`.
  void on_shorter(std::function<void(std::uint64_t number)> then) { shorter_ = std::move(then); }

  // As Backend::call. Outlives its calls, but for those that end with FailureKind::shutdown.
  void call(Request request, upstream::CallOptions options, upstream::Done done);
  // An answer that came in a batch. False: it is older than what was shown, or null where it should not be;
  // to be asked again by call().
  bool accepts(const Request& request, const upstream::Result& result);

 private:
  enum Measure : std::uint8_t { kLatest, kSafe, kFinalized, kMeasures };
  // What is known of an answer before it is there.
  struct Kind {
    std::optional<Measure> measure;       // it shows how far the chain is
    std::optional<std::uint64_t> number;  // it is of this block
    std::string transaction;              // it is of this one; its hash, raw
    bool is_pending_nonce = false;
    bool sends = false;
  };
  struct Asked;
  using AskedPtr = std::shared_ptr<Asked>;

  static Kind kind_of(const Request& request);
  void ask(const AskedPtr& asked);
  void take(const AskedPtr& asked, upstream::Result result);
  bool take_measure(const AskedPtr& asked, const upstream::Result& result);
  bool take_null(const AskedPtr& asked, const upstream::Result& result);
  void show_block(const AskedPtr& asked, Measure measure, upstream::Result older);
  void ask_all_senders(const AskedPtr& asked);
  void note_sent(const upstream::Result& result);

  upstream::Executor& executor_;
  upstream::Backend& backend_;
  upstream::Pool* pool_;
  std::array<std::uint64_t, kMeasures> shown_{};
  SentTransactions sent_;
  std::function<void(std::uint64_t)> shorter_;
};

}  // namespace fanfare::gateway
