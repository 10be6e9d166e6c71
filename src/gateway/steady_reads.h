#pragma once
// Keeps a network's answers from going back in time, across all nodes and transports. eth_blockNumber,
// "latest", "safe" and "finalized" never decrease; a block that was shown is not null; and a transaction sent
// through here is visible to later reads.
//
//   answer below what was shown   ->  another node; if no node has it, the chain itself went back, and the
//                                     answer is the new measure. After three tries the highest answer is taken
//   finalized or safe below       ->  the block that was shown, requested by its number
//   null for a block shown        ->  another node
//   null for a transaction sent   ->  the node that took it
//   pending nonce after a send    ->  the highest of the usual node's and of those that took sends
//
// For one network; on the worker's thread. With fewer than two nodes only the highest shown values are kept.

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
  // A single request, in the form sent to the node.
  struct Request {
    std::string method;
    std::string params;  // raw
    std::string id;      // raw
  };

  // `pool` is the backend if it is one; null: answers pass unchanged. Everything must outlive this object.
  SteadyReads(upstream::Executor& executor, upstream::Backend& backend, upstream::Pool* pool)
      : executor_(executor), backend_(backend), pool_(pool) {}
  SteadyReads(const SteadyReads&) = delete;
  SteadyReads& operator=(const SteadyReads&) = delete;

  // The newest block that any client was shown.
  std::uint64_t shown() const { return shown_[kLatest]; }
  // Announcements of the source: a head, which may be older than a node's answers; and that the blocks above
  // `number` are no longer part of the chain.
  void head_announced(std::uint64_t number);
  void chain_went_back(std::uint64_t number);
  // Runs when an answer shows that the chain is shorter than before: no node has more than `number`.
  void on_shorter(std::function<void(std::uint64_t number)> then) { shorter_ = std::move(then); }

  // Like Backend::call. Must outlive its calls, except those that end with FailureKind::shutdown.
  void call(Request request, upstream::CallOptions options, upstream::Done done);
  // Checks an answer from a batch. False: it is older than what was shown, or unexpectedly null; repeat it
  // with call().
  bool accepts(const Request& request, const upstream::Result& result);
  // How often the chain went back. If it did while an answer waited for the others of its batch, the answer
  // shows a block that was taken back: delivered_late() makes it count as shown.
  std::uint64_t times_back() const { return times_back_; }
  void delivered_late(const Request& request, std::string_view answer_json);

 private:
  enum Measure : std::uint8_t { kLatest, kSafe, kFinalized, kMeasures };
  // What a request says about its answer in advance.
  struct Kind {
    std::optional<Measure> measure;       // the answer shows the chain's height
    std::optional<std::uint64_t> number;  // the answer is about this block
    std::string transaction;              // the answer is about this transaction; its hash, raw
    bool is_pending_nonce = false;
    bool sends = false;
  };
  struct Asked;
  using AskedPtr = std::shared_ptr<Asked>;

  static Kind kind_of(const Request& request);
  void ask(const AskedPtr& asked);
  void take(const AskedPtr& asked, upstream::Result result);
  bool take_measure(const AskedPtr& asked, upstream::Result& result);
  bool take_null(const AskedPtr& asked, const upstream::Result& result);
  void show_block(const AskedPtr& asked, Measure measure, upstream::Result older);
  void ask_all_senders(const AskedPtr& asked);
  void ask_sender(const AskedPtr& asked, std::size_t member, bool is_first);
  static void take_nonce(const AskedPtr& asked, upstream::Result result);
  void note_sent(const upstream::Result& result);

  upstream::Executor& executor_;
  upstream::Backend& backend_;
  upstream::Pool* pool_;
  std::array<std::uint64_t, kMeasures> shown_{};
  std::uint64_t times_back_ = 0;
  SentTransactions sent_;
  std::function<void(std::uint64_t)> shorter_;
};

}  // namespace fanfare::gateway
