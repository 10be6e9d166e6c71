#include "eth/pending_source.h"

#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {

PendingSource::PendingSource(const PendingSourceOptions& options, CallIds& call_ids, Random& random)
    : options_(options),
      call_ids_(call_ids),
      random_(random),
      backoff_(options.poll_interval, options.backoff_max) {}

void PendingSource::set_wanted(Wanted wanted, Instant now) {
  const Wanted before = std::exchange(wanted_, wanted);
  if (wanted == Wanted::nothing) {
    poll_call_.reset();
    body_calls_.clear();
    bodies_waiting_.clear();
    filter_id_json_.clear();
    timer_.reset();
  } else if (before == Wanted::nothing) {
    baseline_ = true;
    if (!pushed_) poll(now);
  }
}

void PendingSource::set_pushed(bool pushed, Instant now) {
  if (std::exchange(pushed_, pushed) == pushed || wanted_ == Wanted::nothing) return;
  poll_call_.reset();
  filter_id_json_.clear();
  timer_.reset();
  if (pushed) return;
  // What was told meanwhile is remembered: of what a pool shows, only that is not new.
  baseline_ = seen_.empty();
  poll(now);
}

void PendingSource::saw_pushed(std::string_view hash) {
  if (!pushed_ || wanted_ == Wanted::nothing || !is_new(hash)) return;
  events_.emplace_back(PendingHash{std::string(hash)});
  if (wanted_ == Wanted::bodies) bodies_waiting_.emplace_back(hash);
  ask_for_bodies();
}

std::uint64_t PendingSource::call(std::string_view method, std::string params_json) {
  ++status_.calls;
  const std::uint64_t id = call_ids_.next();
  calls_.push_back({.id = id, .method = method, .params_json = std::move(params_json)});
  return id;
}

void PendingSource::poll(Instant now) {
  timer_ = now + options_.call_timeout;
  switch (status_.way) {
    case Way::filter:
      if (filter_id_json_.empty()) {
        poll_call_ = call("eth_newPendingTransactionFilter", "[]");
      } else {
        poll_call_ = call("eth_getFilterChanges", "[" + filter_id_json_ + "]");
      }
      return;
    case Way::txpool:
      poll_call_ = call("txpool_content", "[]");
      return;
    case Way::none:
    case Way::block:
      poll_call_ = call("eth_getBlockByNumber", R"(["pending",true])");
      return;
  }
}

void PendingSource::on_timer(Instant now) {
  if (!timer_ || now < *timer_) return;
  if (poll_call_) {
    poll_call_.reset();
    return fail("no answer in time", now);
  }
  if (status_.way == Way::none) {
    status_.way = Way::filter;
    baseline_ = true;
  }
  poll(now);
}

void PendingSource::poll_again(Instant now) {
  backoff_.reset();
  timer_ = now + options_.poll_interval;
}

void PendingSource::fail(std::string why, Instant now) {
  ++status_.failures;
  status_.last_failure = std::move(why);
  timer_ = now + backoff_.next(random_);
}

void PendingSource::next_way(std::string why, Instant now) {
  ++status_.failures;
  status_.last_failure = std::move(why);
  baseline_ = true;
  switch (status_.way) {
    case Way::filter:
      status_.way = Way::txpool;
      return poll(now);
    case Way::txpool:
      status_.way = Way::block;
      return poll(now);
    case Way::block:
    case Way::none:
      status_.way = Way::none;
      timer_ = now + options_.retry_all;
      return;
  }
}

bool PendingSource::on_reply(std::uint64_t call_id, const CallResult& result, Instant now) {
  if (const auto body = body_calls_.find(call_id); body != body_calls_.end()) {
    const std::string hash = std::move(body->second);
    body_calls_.erase(body);
    on_body(hash, result ? *result : std::string_view("null"));
    ask_for_bodies();
    return true;
  }
  if (poll_call_ != call_id) return false;
  poll_call_.reset();
  if (result) {
    on_poll_reply(*result, now);
    ask_for_bodies();
  } else if (result.error().kind != CallFailure::Kind::rejected) {
    fail(result.error().message, now);
  } else if (status_.way == Way::filter && !filter_id_json_.empty()) {
    // The node forgot the filter (it restarted, or we were away too long). Transactions of the time
    // between are not told by the new one.
    filter_id_json_.clear();
    fail(result.error().message, now);
  } else {
    next_way(result.error().message, now);
  }
  return true;
}

void PendingSource::on_poll_reply(std::string_view json, Instant now) {
  switch (status_.way) {
    case Way::filter:
      if (filter_id_json_.empty()) {
        if (jsonrpc::kind_of(json) != jsonrpc::Kind::string)
          return next_way("the node gave no filter id", now);
        filter_id_json_ = json;
      } else {
        for (const std::string_view element : jsonrpc::array_elements(json)) {
          // Some nodes list whole transactions here.
          if (jsonrpc::kind_of(element) == jsonrpc::Kind::object) {
            saw_transaction(element);
            continue;
          }
          const auto hash = jsonrpc::string_value(element);
          if (!hash || !is_new(*hash)) continue;
          events_.emplace_back(PendingHash{std::string(*hash)});
          if (wanted_ == Wanted::bodies) bodies_waiting_.emplace_back(*hash);
        }
      }
      break;
    case Way::txpool:
      read_pool(json);
      break;
    case Way::block:
    case Way::none:
      read_block(json);
      break;
  }
  poll_again(now);
}

void PendingSource::read_pool(std::string_view json) {
  // {"pending": {address: {nonce: transaction}}, "queued": ...}: queued ones cannot be mined yet.
  const auto pending = jsonrpc::member(json, "pending");
  if (!pending) return;
  for (const jsonrpc::Member& sender : jsonrpc::object_members(*pending)) {
    for (const jsonrpc::Member& transaction : jsonrpc::object_members(sender.value)) {
      saw_transaction(transaction.value);
    }
  }
  baseline_ = false;
}

void PendingSource::read_block(std::string_view json) {
  const auto transactions = jsonrpc::member(json, "transactions");
  if (!transactions) return;
  for (const std::string_view transaction : jsonrpc::array_elements(*transactions))
    saw_transaction(transaction);
  baseline_ = false;
}

void PendingSource::saw_transaction(std::string_view transaction_json) {
  const auto raw = jsonrpc::member(transaction_json, "hash");
  const auto hash = raw ? jsonrpc::string_value(*raw) : std::nullopt;
  if (!hash || !is_new(*hash)) return;
  // A filter lists only what is new; a pool or a block shows first what was there before.
  if (baseline_ && status_.way != Way::filter) return;
  events_.emplace_back(PendingHash{std::string(*hash)});
  if (wanted_ == Wanted::bodies) {
    events_.emplace_back(
        PendingBody{.hash = std::string(*hash), .transaction_json = std::string(transaction_json)});
  }
}

bool PendingSource::is_new(std::string_view hash_text) {
  const auto hash = parse_hash(hash_text);
  if (!hash || !seen_.insert(*hash).second) return false;
  seen_order_.push_back(*hash);
  if (seen_order_.size() > options_.seen_max) {
    seen_.erase(seen_order_.front());
    seen_order_.pop_front();
  }
  return true;
}

void PendingSource::ask_for_bodies() {
  while (bodies_waiting_.size() > options_.bodies_waiting_max) {
    bodies_waiting_.pop_front();
    ++status_.bodies_lost;
  }
  while (!bodies_waiting_.empty() && body_calls_.size() < options_.bodies_in_flight_max) {
    std::string hash = std::move(bodies_waiting_.front());
    bodies_waiting_.pop_front();
    const std::uint64_t id = call("eth_getTransactionByHash", "[\"" + hash + "\"]");
    body_calls_.emplace(id, std::move(hash));
  }
}

void PendingSource::on_body(const std::string& hash, std::string_view json) {
  // A notification is never null: a transaction that was replaced meanwhile is not told whole.
  if (jsonrpc::kind_of(json) != jsonrpc::Kind::object) {
    ++status_.bodies_lost;
    return;
  }
  if (wanted_ == Wanted::bodies) {
    events_.emplace_back(PendingBody{.hash = hash, .transaction_json = std::string(json)});
  }
}

std::vector<UpstreamCall> PendingSource::take_calls() {
  return std::exchange(calls_, {});
}

std::vector<PendingEvent> PendingSource::take_events() {
  return std::exchange(events_, {});
}

}  // namespace fanfare::eth
