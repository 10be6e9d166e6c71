#pragma once
// The chain with its logs: takes the events of a head poller and announces each block, together with its logs
// if they arrive in time. No I/O. One thread.
//
//   head events -> [ pending: waiting for logs, in order ] -> announced: the last window_blocks, with logs
//
// Heads do not depend on logs. A block waits for its logs for at most head_wait. It does not wait at all when
// a request for them has failed, or when the logs of the previous block were late. It is then announced
// without them, and its logs follow as BlockLogsLate, always in block order.
//
// A reorg removes blocks from the end. Pending ones were never announced and are dropped. Announced ones are
// reported as BlockRemoved, newest first, with the logs they had. Then the new branch follows as BlockAdded.
//
// An answer is not trusted when it is empty although the block's bloom filter says otherwise, when a log
// belongs to another block, or when it is malformed. The request is then repeated with another strategy
// (logs_request.h) and with attempt > 0: to another node, if there is one. The view gives up on the logs,
// with LogsMissing, after logs_attempts_max unusable answers, or logs_wait_max after the next block was
// announced. Once a node's blooms were wrong bloom_lies_max times in a row, they are no longer compared.
//
// Logs are requested only while a subscriber needs them: one eth_getLogs per block, for any number of
// subscribers.

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
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

struct ChainViewOptions {
  std::uint32_t window_blocks = 256;  // the head poller's
  std::uint32_t calls_in_flight_max = 8;
  std::uint32_t pending_blocks_max = 4096;  // beyond it the oldest is announced without its logs
  std::uint32_t logs_attempts_max = 12;     // unusable answers; failures to answer do not count
  std::uint32_t bloom_lies_max = 3;
  Duration retry_min = std::chrono::milliseconds(50);
  Duration retry_max = std::chrono::seconds(5);
  Duration call_timeout = std::chrono::seconds(10);
  Duration head_wait = std::chrono::milliseconds(200);  // how long a block waits for its logs
  // Counted from the next block on: while the chain itself stands still, requests for logs go on without
  // limit.
  Duration logs_wait_max = std::chrono::seconds(30);
};

struct BlockAdded {
  HeaderPtr header;
  BlockLogsPtr logs;  // null: not needed, late, or missing
};
// Logs of a block that was announced without them. They come in block order.
struct BlockLogsLate {
  HeaderPtr header;
  BlockLogsPtr logs;
};
struct BlockRemoved {
  HeaderPtr header;
  BlockLogsPtr logs;  // to be sent again with removed: true, last one first; null: none were sent
};
// Logs that subscribers need but will not get; takes the position that the logs would have had.
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
    std::uint64_t missing = 0;  // blocks announced without logs that a subscriber needed
    std::string last_failure;
    std::size_t pending = 0;
    bool bloom_trusted = true;
  };

  // `call_ids` and `random` must outlive the view.
  ChainView(const ChainViewOptions& options, jsonrpc::CallIds& call_ids, Random& random);

  void on_head_event(HeadEvent event, Instant now);
  // A subscriber needs the logs of every block from `first_block` on (the one after the head it last saw),
  // including blocks already announced.
  void want_logs_from(std::uint64_t first_block, Instant now);
  // No subscriber needs logs any more.
  void stop_logs(Instant now);
  bool wants_logs() const { return logs_wanted_; }

  void on_timer(Instant now);
  // False: the call is not, or no longer, one of this view.
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now);

  std::vector<jsonrpc::UpstreamCall> take_calls();
  std::vector<ChainEvent> take_events();
  std::optional<Instant> next_timer() const;

  const Status& status() const { return status_; }
  // Logs of announced blocks are still outstanding and will be reported as BlockLogsLate.
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
    LogsRequest::Strategy strategy{};        // strategy of the call
    std::uint32_t tries = 0;                 // failed tries, for any reason
    std::uint32_t attempts = 0;              // unusable answers among them
    std::optional<Backoff> backoff;          // made at the first failure
    Instant since{};                         // when the block arrived
    std::optional<Instant> next_since = {};  // when the next block was announced
    Instant due{};                           // call outstanding: its deadline; otherwise earliest next call
    std::string last_failure{};
    std::string missing_because{};  // not empty: given up
  };
  struct Announced {
    HeaderPtr header;
    BlockLogsPtr logs;
    bool given_up = false;  // its logs were reported missing: they do not come late
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
  jsonrpc::CallIds& call_ids_;
  Random& random_;
  bool logs_wanted_ = false;
  std::deque<Announced> announced_;
  std::deque<Item> pending_;
  std::uint32_t bloom_lies_ = 0;
  bool logs_are_prompt_ = true;             // the logs of the last block came in time
  LogsRequest::Strategy first_strategy_{};  // the strategy that last brought logs
  std::vector<jsonrpc::UpstreamCall> calls_;
  std::vector<ChainEvent> events_;
  Status status_;
};

}  // namespace fanfare::eth
