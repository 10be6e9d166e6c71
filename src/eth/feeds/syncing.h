#pragma once
// syncing: whether the node is syncing, from periodic eth_syncing calls. The state is `false`, or
// {"syncing":true,"status":{...}} with the node's own object. It is reported when it is first known and whenever
// it or that object changes, and to each new subscriber. A node without the method counts as not syncing.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eth/feeds/feed.h"
#include "eth/pace.h"

namespace fanfare::eth {

struct SyncingSourceOptions {
  Duration poll_interval = std::chrono::seconds(2);
  Duration backoff_max = std::chrono::seconds(30);
  Duration call_timeout = std::chrono::seconds(15);
};

// The body of a FeedEvent.
struct SyncingChanged {
  std::string result_json;
};

class SyncingSource final : public FeedSource {
 public:
  SyncingSource(const SyncingSourceOptions& options, jsonrpc::CallIds& call_ids, Random& random);

  void set_wanted(bool wanted, Instant now) override;
  void on_new_loop() override;  // reports the known state again
  void on_timer(Instant now) override;
  bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) override;
  std::vector<jsonrpc::UpstreamCall> take_calls() override;
  std::vector<std::any> take_events() override;
  std::optional<Instant> next_timer() const override { return timer_; }

 private:
  void poll(Instant now);

  SyncingSourceOptions options_;
  jsonrpc::CallIds& call_ids_;
  Random& random_;
  Backoff backoff_;
  bool wanted_ = false;
  std::optional<std::uint64_t> call_;
  std::optional<std::string> state_;
  std::optional<Instant> timer_;
  std::vector<jsonrpc::UpstreamCall> calls_;
  std::vector<std::any> events_;
};

std::unique_ptr<Feed> make_syncing_feed(FeedLoop& loop, SubscriptionType type);
std::unique_ptr<FeedSource> make_syncing_source(const ChainSourceOptions& options, jsonrpc::CallIds& call_ids,
                                                Random& random);

}  // namespace fanfare::eth
