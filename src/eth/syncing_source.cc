#include "eth/syncing_source.h"

#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {

SyncingSource::SyncingSource(const SyncingSourceOptions& options, CallIds& call_ids, Random& random)
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

void SyncingSource::tell_again() {
  if (state_) events_.push_back(*state_);
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

bool SyncingSource::on_reply(std::uint64_t call_id, const CallResult& result, Instant now) {
  if (call_ != call_id) return false;
  call_.reset();
  if (!result && result.error().kind != CallFailure::Kind::rejected) {
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
  if (state_ != state) events_.push_back(state);
  state_ = std::move(state);
  return true;
}

std::vector<UpstreamCall> SyncingSource::take_calls() {
  return std::exchange(calls_, {});
}

std::vector<std::string> SyncingSource::take_events() {
  return std::exchange(events_, {});
}

}  // namespace fanfare::eth
