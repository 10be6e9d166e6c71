// The second half of History: the requests to the node. The first half, history.cc, turns the answers into
// batches for resuming subscribers.

#include <algorithm>
#include <utility>

#include "eth/history.h"

namespace fanfare::eth {

// Whether the chain is known from this block on.
History::Have History::reach_down(std::uint64_t number, Instant now) {
  link_older();
  if (number >= first()) return Have::yes;
  if (reached_for_ && *reached_for_ <= number) return Have::not_yet;
  for (std::uint64_t next = first(); next-- > number;) {
    if (older_.contains(next)) continue;
    const FetchKey key{.what = FetchKey::What::header_by_number, .number = next};
    if (want(key, options_.attempts_max, now) == Have::never) return Have::never;
  }
  reached_for_ = number;
  return Have::not_yet;
}

void History::link_older() {
  for (auto block = older_.find(first() - 1); first() > 0 && block != older_.end();
       block = older_.find(first() - 1)) {
    const bool links = block->second->hash == chain_.front().header->parent_hash;
    if (links) chain_.push_front(with_what_is_known({.header = std::move(block->second), .logs = nullptr}));
    // A block that does not link is of another branch, or the node is on one: it is requested again.
    older_.erase(block);
    if (!links) return;
  }
}

History::Have History::want(const FetchKey& key, std::uint32_t attempts_max, Instant now) {
  if (given_up_.contains(key)) return Have::never;
  const auto found = fetches_.find(key);
  if (found == fetches_.end() && in_flight_ >= options_.calls_in_flight_max) return Have::not_yet;
  Fetch& fetch = found == fetches_.end() ? fetches_[key] : found->second;
  fetch.wanted_in = pumps_;
  fetch.attempts_max = attempts_max;
  if (fetch.call_id == 0 && fetch.due <= now && in_flight_ < options_.calls_in_flight_max) {
    ask(key, fetch, now);
  }
  return Have::not_yet;
}

void History::ask(const FetchKey& key, Fetch& fetch, Instant now) {
  fetch.call_id = call_ids_.next();
  fetch.due = now + options_.call_timeout;
  ++in_flight_;
  ++status_.calls;
  const Block* const block = find_block(key.hash);
  jsonrpc::UpstreamCall call{.id = fetch.call_id,
                             .attempt = fetch.attempts,
                             .block = block == nullptr ? key.number : block->header->number};
  switch (key.what) {
    case FetchKey::What::header_by_number:
      call.method = "eth_getBlockByNumber";
      call.params_json = "[\"" + to_quantity(key.number) + "\",false]";
      break;
    case FetchKey::What::header_by_hash:
      call.method = "eth_getBlockByHash";
      call.params_json = "[\"" + to_hex(key.hash) + "\",false]";
      break;
    case FetchKey::What::logs: {
      Header unknown;
      unknown.hash = key.hash;
      fetch.strategy =
          block == nullptr ? LogsRequest::Strategy::by_hash : LogsRequest::strategy_after({}, fetch.attempts);
      LogsRequest question = LogsRequest::about(block == nullptr ? unknown : *block->header, fetch.strategy);
      call.method = question.method;
      call.params_json = std::move(question.params_json);
      break;
    }
    case FetchKey::What::receipts:
      call.method = "eth_getBlockReceipts";
      call.params_json = "[\"" + to_hex(key.hash) + "\"]";
      break;
  }
  calls_.push_back(std::move(call));
}

bool History::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  const auto found =
      std::ranges::find_if(fetches_, [call_id](const auto& one) { return one.second.call_id == call_id; });
  if (call_id == 0 || found == fetches_.end()) return false;
  Fetch& fetch = found->second;
  fetch.call_id = 0;
  --in_flight_;
  const bool was_answered = result || result.error().kind == jsonrpc::CallFailure::Kind::rejected;
  if (result && take(found->first, fetch.strategy, *result)) {
    ++status_.blocks_fetched;
    fetches_.erase(found);
  } else if (was_answered && ++fetch.attempts >= fetch.attempts_max) {
    given_up_.insert_or_assign(found->first, now + options_.given_up_for);
    fetches_.erase(found);
  } else {
    retry_later(fetch, now);
  }
  return true;
}

bool History::take(const FetchKey& key, LogsRequest::Strategy strategy, std::string_view json) {
  if (key.what == FetchKey::What::header_by_number || key.what == FetchKey::What::header_by_hash) {
    return take_header(key, json);
  }
  Block* const block = find_block(key.hash);
  if (block == nullptr) return true;  // removed meanwhile, and no longer needed
  if (key.what == FetchKey::What::receipts) {
    auto receipts = parse_block_receipts(json, key.hash);
    if (receipts) block->receipts = std::make_shared<const BlockReceipts>(std::move(*receipts));
    return receipts.has_value();
  }
  auto answer = LogsRequest::read(json, strategy, *block->header);
  if (!answer || LogsRequest::is_doubtful(*answer, strategy, *block->header, bloom_trusted_)) return false;
  block->logs = std::make_shared<const BlockLogs>(std::move(answer->logs));
  return true;
}

bool History::take_header(const FetchKey& key, std::string_view json) {
  auto header = parse_header(json);
  if (!header) return false;
  if (key.what == FetchKey::What::header_by_hash) {
    if (header->hash != key.hash) return false;
    remember_branch({.header = std::make_shared<const Header>(std::move(*header)), .logs = nullptr});
    return true;
  }
  if (header->number != key.number) return false;
  const bool is_next = !chain_.empty() && key.number + 1 == first();
  if (is_next && header->hash != chain_.front().header->parent_hash) return false;
  older_.insert_or_assign(key.number, std::make_shared<const Header>(std::move(*header)));
  return true;
}

void History::retry_later(Fetch& fetch, Instant now) {
  if (!fetch.backoff) fetch.backoff.emplace(options_.retry_min, options_.retry_max);
  fetch.due = now + fetch.backoff->next(random_);
}

void History::on_timer(Instant now) {
  for (auto& [key, fetch] : fetches_) {
    if (fetch.call_id == 0 || now < fetch.due) continue;
    fetch.call_id = 0;  // an answer that still comes is ignored
    --in_flight_;
    retry_later(fetch, now);
  }
}

std::optional<Instant> History::next_timer() const {
  std::optional<Instant> earliest;
  const auto consider = [&earliest](Instant when) {
    if (!earliest || when < *earliest) earliest = when;
  };
  for (const auto& [key, fetch] : fetches_) {
    // A fetch that waits for a free call is sent when an answer arrives.
    if (fetch.call_id != 0 || in_flight_ < options_.calls_in_flight_max) consider(fetch.due);
  }
  for (const Job& job : jobs_) {
    if (job.waits_for_head) consider(job.give_up_waiting);
  }
  return earliest;
}

std::vector<jsonrpc::UpstreamCall> History::take_calls() {
  return std::exchange(calls_, {});
}

std::vector<ReceiptsEvent> History::take_receipts() {
  return std::exchange(receipts_events_, {});
}

std::vector<History::Answer> History::take_answers() {
  return std::exchange(answers_, {});
}

}  // namespace fanfare::eth
