#pragma once
// Whether the node is syncing, from periodic eth_syncing calls. The state is `false`, or
// {"syncing":true,"status":{...}} with the node's own object. It is reported when it is first known and
// whenever it or that object changes. A node without the method counts as not syncing. Without subscribers no
// calls are made. No I/O. One thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/pace.h"
#include "eth/upstream_call.h"

namespace fanfare::eth {

struct SyncingSourceOptions {
  Duration poll_interval = std::chrono::seconds(2);
  Duration backoff_max = std::chrono::seconds(30);
  Duration call_timeout = std::chrono::seconds(15);
};

class SyncingSource {
 public:
  SyncingSource(const SyncingSourceOptions& options, CallIds& call_ids, Random& random);

  void set_wanted(bool wanted, Instant now);
  void on_timer(Instant now);
  // False: the call is not, or no longer, one of this source.
  bool on_reply(std::uint64_t call_id, const CallResult& result, Instant now);

  std::vector<UpstreamCall> take_calls();
  // Reports the known state again, for a new subscriber.
  void tell_again();
  // Each is the `result` of a notification.
  std::vector<std::string> take_events();
  std::optional<Instant> next_timer() const { return timer_; }

 private:
  void poll(Instant now);

  SyncingSourceOptions options_;
  CallIds& call_ids_;
  Random& random_;
  Backoff backoff_;
  bool wanted_ = false;
  std::optional<std::uint64_t> call_;
  std::optional<std::string> state_;
  std::optional<Instant> timer_;
  std::vector<UpstreamCall> calls_;
  std::vector<std::string> events_;
};

}  // namespace fanfare::eth
