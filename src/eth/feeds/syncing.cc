#include "eth/feeds/syncing.h"

#include <utility>

#include "eth/chain_source.h"
#include "eth/feeds/sourced_feed.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

class SyncingFeed final : public SourcedFeed<SyncingChanged> {
 public:
  using SourcedFeed::SourcedFeed;

  std::optional<Greeting> greeting(const FeedGroup&) const override {
    if (state_.empty()) return std::nullopt;
    return Greeting{.json = state_, .cursor = {}};
  }

 private:
  void on_removed(GroupIndex) override {
    if (is_empty()) state_.clear();
  }
  // The same state is not published twice: another loop may have asked for it.
  void on_own_event(const SyncingChanged& now) override {
    if (is_empty() || state_ == now.result_json) return;
    state_ = now.result_json;
    publish(Whom::all, {.member = "result", .json = now.result_json});
  }

  std::string state_;  // last published, while needed; empty: unknown
};

}  // namespace

std::unique_ptr<Feed> make_syncing_feed(FeedLoop& loop, SubscriptionType type) {
  return std::make_unique<SyncingFeed>(loop, type);
}

std::unique_ptr<FeedSource> make_syncing_source(const ChainSourceOptions& options, jsonrpc::CallIds& call_ids,
                                                Random& random) {
  return std::make_unique<SyncingSource>(options.syncing, call_ids, random);
}

SyncingSource::SyncingSource(const SyncingSourceOptions& options, jsonrpc::CallIds& call_ids, Random& random)
    : options_(options),
      call_ids_(call_ids),
      random_(random),
      backoff_(options.poll_interval, options.backoff_max) {}

void SyncingSource::set_wanted(bool wanted, Instant now) {
  if (std::exchange(wanted_, wanted) == wanted) return;
  state_.reset();
  call_.reset();
  timer_.reset();
  if (wanted) poll(now);
}

void SyncingSource::poll(Instant now) {
  call_ = call_ids_.next();
  calls_.push_back({.id = *call_, .method = "eth_syncing", .params_json = "[]"});
  timer_ = now + options_.call_timeout;
}

void SyncingSource::on_new_loop() {
  if (state_) events_.emplace_back(SyncingChanged{*state_});
}

void SyncingSource::on_timer(Instant now) {
  if (!timer_ || now < *timer_) return;
  if (call_) {
    call_.reset();
    timer_ = now + backoff_.next(random_);
  } else {
    poll(now);
  }
}

bool SyncingSource::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  if (call_ != call_id) return false;
  call_.reset();
  if (!result && result.error().kind != jsonrpc::CallFailure::Kind::rejected) {
    timer_ = now + backoff_.next(random_);
    return true;
  }
  backoff_.reset();
  timer_ = now + options_.poll_interval;
  std::string state = "false";
  if (result && jsonrpc::kind_of(*result) == jsonrpc::Kind::object) {
    state = R"({"syncing":true,"status":)";
    state.append(*result).append("}");
  }
  if (state_ != state) events_.emplace_back(SyncingChanged{state});
  state_ = std::move(state);
  return true;
}

std::vector<jsonrpc::UpstreamCall> SyncingSource::take_calls() {
  return std::exchange(calls_, {});
}

std::vector<std::any> SyncingSource::take_events() {
  return std::exchange(events_, {});
}

}  // namespace fanfare::eth
