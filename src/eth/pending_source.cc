#include "eth/pending_source.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {

PendingSource::PendingSource(const PendingSourceOptions& options, jsonrpc::CallIds& call_ids, Random& random)
    : options_(options),
      call_ids_(call_ids),
      random_(random),
      backoff_(options.poll_interval, options.backoff_max),
      bodies_({.in_flight_max = options.bodies_in_flight_max,
               .waiting_max = options.bodies_waiting_max,
               .attempts_max = options.body_attempts_max,
               .order_wait = options.body_order_wait}),
      seen_(options.seen_max) {}

void PendingSource::start(Instant now) {
  started_ = true;
  if (wanted_ != Wanted::nothing && !pushed_) poll(now);
}

void PendingSource::set_wanted(Wanted wanted, Instant now) {
  const Wanted before = std::exchange(wanted_, wanted);
  if (wanted != Wanted::bodies) {
    body_calls_.clear();
    bodies_.clear();
  }
  if (wanted == Wanted::nothing) {
    stop_polling();
    seen_.clear();
    listening_ = false;
    listeners_.refuse("nobody wants pending transactions any more");
  } else if (before == Wanted::nothing) {
    if (pushed_) {
      begin_listening();
    } else {
      begin_polling(now);
    }
  }
}

PendingSource::ListenerId PendingSource::await_listening(Instant now) {
  const ListenerId id = listeners_.add(now + options_.listen_timeout);
  if (listening_) {
    begin_listening();
  } else if (wanted_ == Wanted::nothing || status_.strategy == Strategy::none) {
    listeners_.refuse(status_.last_failure);
  }
  return id;
}

void PendingSource::begin_listening() {
  listening_ = true;
  listeners_.accept();
}

void PendingSource::miss(std::string_view why, const std::string& detail) {
  if (!std::exchange(listening_, false)) return;
  ++status_.missed;
  seen_.clear();  // new listeners have been sent nothing yet, and the chain may start over meanwhile
  events_.emplace_back(PendingMissed{.bodies_only = false, .why = why, .detail = detail});
}

void PendingSource::set_pushed(bool pushed, Instant now) {
  if (std::exchange(pushed_, pushed) == pushed || wanted_ == Wanted::nothing) return;
  if (!pushed) {
    // If final polls are still outstanding, polling simply continues.
    if (std::exchange(last_polls_, 0) > 0) return;
    miss("the node that told of them is out of reach", {});
    begin_polling(now);
  } else if (listening_) {
    // Polls for transactions that came after the last answer and before the node began to push. An answer in
    // flight may be older, so one more poll follows it.
    last_polls_ = poll_call_ ? 2 : 1;
    if (!poll_call_) poll(now);
  } else {
    stop_polling();
    begin_listening();
  }
}

void PendingSource::saw_pushed(std::string_view hash, Instant now) {
  if (!pushed_ || wanted_ == Wanted::nothing) return;
  saw_hash(hash);
  ask_for_bodies(now);
}

void PendingSource::saw_hash(std::string_view hash) {
  if (!seen_.add(hash)) return;
  events_.emplace_back(PendingHash{std::string(hash)});
  if (wanted_ == Wanted::bodies) bodies_.add(hash);
}

std::uint64_t PendingSource::call(std::string_view method, std::string params_json, std::uint32_t attempt) {
  ++status_.calls;
  const std::uint64_t id = call_ids_.next();
  calls_.push_back({.id = id, .method = method, .params_json = std::move(params_json), .attempt = attempt});
  return id;
}

void PendingSource::poll(Instant now) {
  if (!started_) return;
  timer_ = now + options_.call_timeout;
  switch (status_.strategy) {
    case Strategy::filter:
      poll_call_ = filter_id_json_.empty() ? call("eth_newPendingTransactionFilter", "[]")
                                           : call("eth_getFilterChanges", "[" + filter_id_json_ + "]");
      return;
    case Strategy::txpool:
      poll_call_ = call("txpool_content", "[]");
      return;
    case Strategy::none:
    case Strategy::block:
      poll_call_ = call("eth_getBlockByNumber", R"(["pending",true])");
      return;
  }
}

void PendingSource::begin_polling(Instant now) {
  if (status_.strategy == Strategy::none) status_.strategy = Strategy::filter;
  baseline_ = true;
  poll(now);
}

void PendingSource::stop_polling() {
  poll_call_.reset();
  filter_id_json_.clear();
  filter_failures_ = 0;
  last_polls_ = 0;
  timer_.reset();
}

std::optional<Instant> PendingSource::next_timer() const {
  std::optional<Instant> next = timer_;
  const auto sooner = [&next](Instant due) { next = next ? std::min(*next, due) : due; };
  if (const auto deadline = listeners_.next_deadline()) sooner(*deadline);
  if (const auto bodies = bodies_.next_timer()) sooner(*bodies);
  return next;
}

void PendingSource::on_timer(Instant now) {
  listeners_.refuse_late(now, status_.last_failure);
  tell_bodies(now);
  if (!timer_ || now < *timer_) return;
  if (std::exchange(poll_call_, std::nullopt)) {
    return poll_failed({.kind = jsonrpc::CallFailure::Kind::timed_out,
                        .code = 0,
                        .maybe_done = true,
                        .message = "no answer in time"},
                       now);
  }
  if (status_.strategy == Strategy::none) return begin_polling(now);
  poll(now);
}

void PendingSource::poll_again(Instant now) {
  backoff_.reset();
  if (last_polls_ == 0) {
    timer_ = now + options_.poll_interval;
  } else if (--last_polls_ == 0) {
    stop_polling();
  } else {
    poll(now);
  }
}

void PendingSource::fail(std::string why, Instant now) {
  ++status_.failures;
  status_.last_failure = std::move(why);
  timer_ = now + backoff_.next(random_);
}

void PendingSource::poll_failed(const jsonrpc::CallFailure& failure, Instant now) {
  const bool has_filter = status_.strategy == Strategy::filter && !filter_id_json_.empty();
  if (failure.kind == jsonrpc::CallFailure::Kind::rejected) {
    // A node that restarted, or was not polled for long, does not know the filter any more.
    return has_filter ? filter_forgotten(failure.message, now) : try_next_strategy(failure.message, now);
  }
  if (has_filter) {
    // The poll consumes the changes, whether or not the answer arrives.
    if (failure.maybe_done) miss("an answer of the node was lost", failure.message);
    const bool give_up = ++filter_failures_ >= options_.filter_failures_max;
    if (give_up) miss("the node with the filter is out of reach", failure.message);
    // Pushed transactions need no filter; what was missed stays missed.
    if (give_up || (pushed_ && !listening_)) stop_polling();
    if (pushed_ && !listening_) return begin_listening();
  }
  fail(failure.message, now);
}

void PendingSource::filter_forgotten(const std::string& why, Instant now) {
  miss("the node forgot its filter", why);
  stop_polling();
  ++status_.failures;
  status_.last_failure = why;
  if (pushed_) return begin_listening();
  if (now - filter_since_ >= options_.retry_all) short_filters_ = 0;
  if (++short_filters_ >= options_.short_filters_max) return try_next_strategy(why, now);
  poll(now);
}

void PendingSource::try_next_strategy(const std::string& why, Instant now) {
  miss("the node does not report them any more", why);
  ++status_.failures;
  status_.last_failure = why;
  short_filters_ = 0;
  if (pushed_) {
    stop_polling();
    return begin_listening();
  }
  baseline_ = true;
  switch (status_.strategy) {
    case Strategy::filter:
      status_.strategy = Strategy::txpool;
      return poll(now);
    case Strategy::txpool:
      status_.strategy = Strategy::block;
      return poll(now);
    case Strategy::block:
    case Strategy::none:
      status_.strategy = Strategy::none;
      timer_ = now + options_.retry_all;
      return listeners_.refuse(why);
  }
}

bool PendingSource::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  if (const auto found = body_calls_.find(call_id); found != body_calls_.end()) {
    const std::uint64_t serial = found->second;
    body_calls_.erase(found);
    on_body(serial, result);
    ask_for_bodies(now);
    return true;
  }
  if (poll_call_ != call_id) return false;
  poll_call_.reset();
  if (result) {
    on_poll_reply(*result, now);
    ask_for_bodies(now);
  } else {
    poll_failed(result.error(), now);
  }
  return true;
}

void PendingSource::on_poll_reply(std::string_view json, Instant now) {
  const bool has_filter = !filter_id_json_.empty();
  bool usable = false;
  switch (status_.strategy) {
    case Strategy::filter:
      usable = has_filter ? read_changes(json) : read_filter_id(json, now);
      break;
    case Strategy::txpool:
      usable = read_pool(json);
      break;
    case Strategy::block:
    case Strategy::none:
      usable = read_block(json);
      break;
  }
  if (!usable) {
    // The changes of the filter are lost with this answer.
    return poll_failed(
        {.kind = has_filter ? jsonrpc::CallFailure::Kind::unreachable : jsonrpc::CallFailure::Kind::rejected,
         .code = 0,
         .maybe_done = true,
         .message = "the node's answer is of no use"},
        now);
  }
  begin_listening();
  poll_again(now);
}

bool PendingSource::read_filter_id(std::string_view json, Instant now) {
  if (jsonrpc::kind_of(json) != jsonrpc::Kind::string) return false;
  filter_id_json_ = json;
  filter_since_ = now;
  return true;
}

bool PendingSource::read_changes(std::string_view json) {
  if (jsonrpc::kind_of(json) != jsonrpc::Kind::array) return false;
  filter_failures_ = 0;
  for (const std::string_view element : jsonrpc::array_elements(json)) {
    // Some nodes list whole transactions here.
    if (jsonrpc::kind_of(element) == jsonrpc::Kind::object) {
      saw_transaction(element);
    } else if (const auto hash = jsonrpc::string_value(element)) {
      saw_hash(*hash);
    }
  }
  return true;
}

bool PendingSource::read_pool(std::string_view json) {
  // {"pending": {address: {nonce: transaction}}, "queued": ...}: queued ones cannot be mined yet.
  const auto pending = jsonrpc::member(json, "pending");
  if (!pending) return false;
  for (const jsonrpc::Member& sender : jsonrpc::object_members(*pending)) {
    for (const jsonrpc::Member& transaction : jsonrpc::object_members(sender.value)) {
      saw_transaction(transaction.value);
    }
  }
  baseline_ = false;
  return true;
}

bool PendingSource::read_block(std::string_view json) {
  const auto transactions = jsonrpc::member(json, "transactions");
  if (!transactions) return false;
  for (const std::string_view transaction : jsonrpc::array_elements(*transactions))
    saw_transaction(transaction);
  baseline_ = false;
  return true;
}

void PendingSource::saw_transaction(std::string_view transaction_json) {
  const auto raw = jsonrpc::member(transaction_json, "hash");
  const auto hash = raw ? jsonrpc::string_value(*raw) : std::nullopt;
  if (!hash || !seen_.add(*hash)) return;
  // A filter lists only new transactions; the first answer of a pool or block shows the ones already there.
  if (baseline_ && status_.strategy != Strategy::filter) return;
  events_.emplace_back(PendingHash{std::string(*hash)});
  if (wanted_ == Wanted::bodies) bodies_.add(*hash, transaction_json);
}

void PendingSource::ask_for_bodies(Instant now) {
  if (const std::uint32_t lost = bodies_.drop_surplus(); lost > 0) {
    miss_bodies("too many came at once to ask for each", {});
    status_.bodies_lost += lost;
  }
  for (const PendingBodies::Ask& ask : bodies_.take_asks(now)) {
    const std::uint64_t id = call("eth_getTransactionByHash", "[\"" + ask.hash + "\"]", ask.attempt);
    body_calls_.emplace(id, ask.serial);
  }
  tell_bodies(now);
}

void PendingSource::tell_bodies(Instant now) {
  for (PendingBody& body : bodies_.take(now)) events_.emplace_back(std::move(body));
}

void PendingSource::on_body(std::uint64_t serial, const jsonrpc::CallResult& result) {
  if (result && jsonrpc::kind_of(*result) == jsonrpc::Kind::object) {
    bodies_.known(serial, *result);
  } else if (bodies_.failed(serial)) {
    // A notification is never null: a transaction that was replaced meanwhile is not sent whole.
    ++status_.bodies_lost;
    if (!result) miss_bodies("the node did not show one", result.error().message);
  }
}

void PendingSource::miss_bodies(std::string_view why, std::string detail) {
  ++status_.missed;
  events_.emplace_back(PendingMissed{.bodies_only = true, .why = why, .detail = std::move(detail)});
}

}  // namespace fanfare::eth
