#pragma once
// What the history requests from the node: headers, logs and receipts of single blocks, once for all readers that need
// them. Answers go into the known chain. An unusable answer is requested again, with growing delays, and given up for a
// while after some attempts. No I/O. One thread.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/header.h"
#include "eth/known_chain.h"
#include "eth/logs_request.h"
#include "eth/pace.h"
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

struct HistoryOptions;

struct BlockPart {
  enum class What : std::uint8_t { header_by_number, header_by_hash, logs, receipts };
  What what = What::header_by_number;
  std::uint64_t number = 0;  // of header_by_number
  Hash256 hash;              // of the other kinds
  auto operator<=>(const BlockPart&) const = default;
};

// Of something that was requested.
enum class Have : std::uint8_t { yes, not_yet, never };

class BlockFetches {
 public:
  // All must outlive it.
  BlockFetches(const HistoryOptions& options, KnownChain& chain, jsonrpc::CallIds& call_ids, Random& random)
      : options_(options), chain_(chain), call_ids_(call_ids), random_(random) {}

  // A round: what want() did not ask for in it is not requested again.
  void begin_round(Instant now);
  void end_round();
  // Requests what is not known. `never`: it was given up. Within a round.
  Have want(const BlockPart& part, std::uint32_t attempts_max, Instant now);
  bool is_idle() const { return fetches_.empty(); }

  // Whether an empty answer that contradicts a block's bloom filter is doubted.
  void set_bloom_trusted(bool trusted) { bloom_trusted_ = trusted; }

  // False: the call is not, or no longer, one of these.
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now);
  void on_timer(Instant now);
  std::vector<jsonrpc::UpstreamCall> take_calls() { return std::exchange(calls_, {}); }
  std::optional<Instant> next_timer() const;

  std::uint64_t calls() const { return calls_made_; }
  std::uint64_t fetched() const { return fetched_; }

 private:
  struct Fetch {
    std::uint64_t call_id = 0;  // 0: not in flight
    std::uint32_t attempts = 0;
    LogsRequest::Strategy strategy{};  // of logs: the strategy of the call in flight
    std::uint32_t attempts_max = 0;
    std::uint64_t wanted_in = 0;  // the last round that needed it
    Instant due{};                // in flight: its deadline; otherwise the earliest time for the next call
    std::optional<Backoff> backoff;
  };

  void ask(const BlockPart& part, Fetch& fetch, Instant now);
  // False: the answer is not usable.
  bool take(const BlockPart& part, LogsRequest::Strategy strategy, std::string_view json);
  bool take_header(const BlockPart& part, std::string_view json);
  void retry_later(Fetch& fetch, Instant now);

  const HistoryOptions& options_;
  KnownChain& chain_;
  jsonrpc::CallIds& call_ids_;
  Random& random_;
  bool bloom_trusted_ = true;
  std::map<BlockPart, Fetch> fetches_;
  std::map<BlockPart, Instant> given_up_;  // and until when
  std::size_t in_flight_ = 0;
  std::uint64_t rounds_ = 0;
  std::uint64_t calls_made_ = 0;
  std::uint64_t fetched_ = 0;
  std::vector<jsonrpc::UpstreamCall> calls_;
};

}  // namespace fanfare::eth
