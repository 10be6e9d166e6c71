#pragma once
// The chain with its logs: takes the events of a head poller and announces each block, with its logs where
// they come in time. No I/O. One thread.
//
//   head events -> [ pending: waiting for logs, in order ] -> announced: the last window_blocks, with logs
//
// Heads do not depend on logs. A block waits for its logs for head_wait at most, and not at all when they
// were asked for in vain, or when the logs of the block before were late. It is announced then, and its logs
// are told late (BlockLogsLate), always in the order of the blocks.
//
// A reorg takes blocks away from the end: those still pending were never told and just go; those announced
// are told as BlockRemoved, newest first, with the logs they had. Then the new branch follows as BlockAdded.
//
// An answer is not believed when it is empty while the block's bloom filter says otherwise, when a log is of
// another block, or when it is malformed. Then the question is put again, in another way (logs_question.h)
// and with attempt > 0: to another node, if there is one. The logs are given up, with LogsMissing, after
// logs_attempts_max unusable answers, or logs_wait_max after the next block was announced. A node whose
// blooms are wrong bloom_lies_max times in a row is no longer measured by them.
//
// Logs are asked for only while somebody wants them: one eth_getLogs a block, however many subscribe.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/block_logs.h"
#include "eth/head_poller.h"
#include "eth/logs_request.h"
#include "eth/pace.h"
#include "eth/upstream_call.h"

namespace fanfare::eth {

struct ChainViewOptions {
  std::uint32_t window_blocks = 256;  // the head poller's
  std::uint32_t calls_in_flight_max = 8;
  std::uint32_t pending_blocks_max = 4096;  // past it the oldest is announced without its logs
  std::uint32_t logs_attempts_max = 12;     // unusable answers, not failures to answer
  std::uint32_t bloom_lies_max = 3;
  Duration retry_min = std::chrono::milliseconds(50);
  Duration retry_max = std::chrono::seconds(5);
  Duration call_timeout = std::chrono::seconds(10);
  Duration head_wait = std::chrono::milliseconds(200);  // of a block for its logs
  // From the next block on: while the chain itself stands still, logs are asked for without end.
  Duration logs_wait_max = std::chrono::seconds(30);
};

struct BlockAdded {
  HeaderPtr header;
  BlockLogsPtr logs;  // null: nobody wants them, or they come late, or are missing
};
// Logs of a block that was announced without. They come in the order of the blocks.
struct BlockLogsLate {
  HeaderPtr header;
  BlockLogsPtr logs;
};
struct BlockRemoved {
  HeaderPtr header;
  BlockLogsPtr logs;  // to be told again with removed: true, last one first; null: none were told
};
// Logs that somebody wants and that will not be told; in the place where they would have been.
struct LogsMissing {
  HeaderPtr header;
  std::string why;
};
using ChainEvent = std::variant<Baseline, BlockAdded, BlockLogsLate, BlockRemoved, LogsMissing, Reorg, Gap>;

class ChainView {
 public:
  struct Status {
    std::uint64_t calls = 0;
    std::uint64_t retries = 0;  // of unusable answers
    std::uint64_t missing = 0;  // blocks announced without the logs somebody wanted
    std::string last_failure;
    std::size_t pending = 0;
    bool bloom_trusted = true;
  };

  // `call_ids` and `random` outlive the view.
  ChainView(const ChainViewOptions& options, CallIds& call_ids, Random& random);

  void on_head_event(HeadEvent event, Instant now);
  // Somebody wants the logs of every block from `first_block` on (the one after the head they last saw): also
  // of those announced already.
  void want_logs_from(std::uint64_t first_block, Instant now);
  // Nobody does any more.
  void stop_logs(Instant now);
  bool wants_logs() const { return logs_wanted_; }

  void on_timer(Instant now);
  // False: no call of ours (any more).
  bool on_reply(std::uint64_t call_id, const CallResult& result, Instant now);

  std::vector<UpstreamCall> take_calls();
  std::vector<ChainEvent> take_events();
  std::optional<Instant> next_timer() const;

  const Status& status() const { return status_; }
  // Logs of announced blocks are still on their way, to be told as BlockLogsLate.
  bool tells_late_logs() const;

 private:
  struct Item {
    enum class Kind { baseline, block, late_logs, gap };
    Kind kind = Kind::block;
    HeaderPtr header;
    Gap gap;
    bool needs_logs = false;
    BlockLogsPtr logs;
    std::uint64_t call_id = 0;               // 0: none outstanding
    LogsRequest::Strategy strategy{};        // of the call
    std::uint32_t tries = 0;                 // that failed, for whatever reason
    std::uint32_t attempts = 0;              // of them, unusable answers
    std::optional<Backoff> backoff;          // made at the first failure
    Instant since{};                         // when it came
    std::optional<Instant> next_since = {};  // when the next block was announced
    Instant due{};                           // call outstanding: its deadline; else: not before
    std::string last_failure{};
    std::string missing_because{};  // not empty: given up
  };
  struct Announced {
    HeaderPtr header;
    BlockLogsPtr logs;
    bool given_up = false;  // its logs were told missing: they do not come late
  };

  void enqueue(Item item);
  void take_back(const Reorg& reorg);
  void pump(Instant now);
  void ask(Item& item, Instant now);
  void retry_later(Item& item, std::string why, Instant now);
  void unusable(Item& item, std::string why, bool bloom_says_otherwise, Instant now);
  void give_up(Item& item, std::string why);
  void note_bloom_lie();
  void announce_ready(Instant now);
  bool may_wait(const Item& item, Instant now) const;
  void take_logs(Item& item, BlockLogs logs, Instant now);
  void give_up_overdue(Instant now);
  void announce(Item item);
  std::size_t active() const;

  ChainViewOptions options_;
  CallIds& call_ids_;
  Random& random_;
  bool logs_wanted_ = false;
  std::deque<Announced> announced_;
  std::deque<Item> pending_;
  std::uint32_t bloom_lies_ = 0;
  bool logs_are_prompt_ = true;             // those of the last block were
  LogsRequest::Strategy first_strategy_{};  // the way that brought logs last
  std::vector<UpstreamCall> calls_;
  std::vector<ChainEvent> events_;
  Status status_;
};

}  // namespace fanfare::eth
