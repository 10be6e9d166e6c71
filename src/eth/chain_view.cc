#include "eth/chain_view.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fanfare::eth {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

ChainView::ChainView(const ChainViewOptions& options, jsonrpc::CallIds& call_ids, Random& random)
    : options_(options), call_ids_(call_ids), random_(random) {
  FANFARE_CHECK(options.calls_in_flight_max > 0 && options.logs_attempts_max > 0);
}

void ChainView::on_head_event(HeadEvent event, Instant now) {
  std::visit(Overloaded{
                 [this](Baseline& baseline) {
                   enqueue({.kind = Item::Kind::baseline, .header = std::move(baseline.header)});
                 },
                 [this, now](NewHead& head) {
                   for (Item& item : pending_) {
                     if (!item.next_since) item.next_since = now;
                   }
                   enqueue({.header = std::move(head.header), .needs_logs = logs_wanted_, .since = now});
                 },
                 [this](Reorg& reorg) { take_back(reorg); },
                 [this](Gap& gap) { enqueue({.kind = Item::Kind::gap, .gap = gap}); },
             },
             event);
  pump(now);
}

void ChainView::enqueue(Item item) {
  pending_.push_back(std::move(item));
}

// The reorg is announced at once. Nobody has seen the pending blocks it removes; announced blocks are
// affected only when no pending ones are left.
void ChainView::take_back(const Reorg& reorg) {
  events_.emplace_back(reorg);
  std::uint64_t left = reorg.depth;
  const auto was_told = [](const Item& item) { return item.kind == Item::Kind::late_logs; };
  const auto is_gap = [](const Item& item) { return item.kind == Item::Kind::gap; };
  while (left > 0 && !pending_.empty() && !was_told(pending_.back()) && !is_gap(pending_.back())) {
    pending_.pop_back();
    --left;
  }
  if (std::ranges::any_of(pending_, is_gap)) return;  // announced blocks lie before the gap
  for (; left > 0 && !announced_.empty(); --left) {
    Announced& last = announced_.back();
    std::erase_if(pending_, [&last](const Item& item) { return item.header == last.header; });  // late logs
    events_.emplace_back(BlockRemoved{.header = std::move(last.header), .logs = std::move(last.logs)});
    announced_.pop_back();
  }
}

void ChainView::want_logs_from(std::uint64_t first_block, Instant now) {
  logs_wanted_ = true;
  for (Item& item : pending_) {
    if (item.kind == Item::Kind::block && item.missing_because.empty()) item.needs_logs = true;
  }
  // Announced blocks come first in the queue: logs are reported in block order.
  std::deque<Item> late;
  for (const Announced& block : announced_) {
    if (block.header->number < first_block || block.logs != nullptr || block.given_up) continue;
    const auto is_it = [&block](const Item& item) { return item.header == block.header; };
    if (std::ranges::none_of(pending_, is_it)) {
      late.push_back(
          {.kind = Item::Kind::late_logs, .header = block.header, .needs_logs = true, .since = now});
    }
  }
  pending_.insert(pending_.begin(), std::make_move_iterator(late.begin()),
                  std::make_move_iterator(late.end()));
  pump(now);
}

void ChainView::stop_logs(Instant now) {
  logs_wanted_ = false;
  for (Item& item : pending_) {
    item.needs_logs = false;
    item.call_id = 0;
  }
  std::erase_if(pending_, [](const Item& item) { return item.kind == Item::Kind::late_logs; });
  pump(now);
}

// Only the first few pending items are worked on; the others wait.
std::size_t ChainView::active() const {
  return std::min<std::size_t>(pending_.size(), options_.calls_in_flight_max);
}

void ChainView::pump(Instant now) {
  while (pending_.size() > options_.pending_blocks_max) {
    Item& oldest = pending_.front();
    if (oldest.needs_logs && oldest.logs == nullptr) give_up(oldest, "too many blocks wait for logs");
    announce(std::move(oldest));
    pending_.pop_front();
  }
  give_up_overdue(now);
  announce_ready(now);
  for (std::size_t i = 0; i < active(); ++i) {
    Item& item = pending_[i];
    if (item.needs_logs && item.logs == nullptr && item.call_id == 0 && item.due <= now) ask(item, now);
  }
  status_.pending = pending_.size();
}

void ChainView::give_up_overdue(Instant now) {
  for (std::size_t i = 0; i < active(); ++i) {
    Item& item = pending_[i];
    if (!item.needs_logs || item.logs != nullptr || !item.next_since) continue;
    if (now >= *item.next_since + options_.logs_wait_max)
      give_up(item, "not given in time: " + item.last_failure);
  }
}

// Announces heads in order and logs in order; heads before logs.
void ChainView::announce_ready(Instant now) {
  for (auto it = pending_.begin(); it != pending_.end();) {
    Item& item = *it;
    const bool is_first = it == pending_.begin();
    const bool has_all = !item.needs_logs || item.logs != nullptr;
    if (item.kind == Item::Kind::gap) {
      // The next block does not follow the earlier ones: subscribers to logs are notified of the gap.
      pending_.erase(pending_.begin(), it);
      announce(std::move(pending_.front()));
      pending_.pop_front();
      it = pending_.begin();
    } else if (has_all && (is_first || (item.kind != Item::Kind::late_logs && item.logs == nullptr &&
                                        item.missing_because.empty()))) {
      announce(std::move(item));
      it = pending_.erase(it);
    } else if (item.kind != Item::Kind::late_logs) {
      if (is_first && may_wait(item, now)) return;
      if (!has_all) logs_are_prompt_ = false;
      announce({.header = item.header});
      item.kind = Item::Kind::late_logs;
      ++it;
    } else {
      ++it;
    }
  }
}

bool ChainView::may_wait(const Item& item, Instant now) const {
  return logs_are_prompt_ && item.tries == 0 && now < item.since + options_.head_wait;
}

void ChainView::ask(Item& item, Instant now) {
  ++status_.calls;
  item.call_id = call_ids_.next();
  item.due = now + options_.call_timeout;
  item.strategy = LogsRequest::strategy_after(first_strategy_, item.tries);
  const LogsRequest question = LogsRequest::about(*item.header, item.strategy);
  calls_.push_back({.id = item.call_id,
                    .method = question.method,
                    .params_json = question.params_json,
                    .attempt = item.tries,
                    .block = item.header->number});
}

bool ChainView::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  const auto found =
      std::ranges::find_if(pending_, [&](const Item& item) { return item.call_id == call_id; });
  if (call_id == 0 || found == pending_.end()) return false;
  Item& item = *found;
  item.call_id = 0;
  if (!result) {
    if (result.error().kind == jsonrpc::CallFailure::Kind::rejected) {
      unusable(item, result.error().message, false, now);
    } else {
      retry_later(item, result.error().message, now);
    }
  } else if (auto logs = LogsRequest::read(*result, item.strategy, *item.header); !logs) {
    unusable(item, logs.error(), false, now);
  } else if (LogsRequest::is_doubtful(*logs, item.strategy, *item.header, status_.bloom_trusted)) {
    unusable(item, "no logs, but the block's bloom filter is not empty", true, now);
  } else {
    take_logs(item, std::move(logs->logs), now);
  }
  pump(now);
  return true;
}

void ChainView::take_logs(Item& item, BlockLogs logs, Instant now) {
  if (!logs.entries.empty()) bloom_lies_ = 0;
  // Receipts decide whether a block has logs, whatever its bloom filter says.
  if (logs.entries.empty() && item.header->says_there_are_logs()) note_bloom_lie();
  first_strategy_ = status_.bloom_trusted ? item.strategy : LogsRequest::Strategy::by_hash;
  logs_are_prompt_ = item.tries == 0 && now <= item.since + options_.head_wait;
  item.logs = std::make_shared<const BlockLogs>(std::move(logs));
}

void ChainView::note_bloom_lie() {
  if (++bloom_lies_ >= options_.bloom_lies_max) status_.bloom_trusted = false;
}

void ChainView::on_timer(Instant now) {
  for (std::size_t i = 0; i < active(); ++i) {
    Item& item = pending_[i];
    if (item.call_id == 0 || now < item.due) continue;
    item.call_id = 0;  // an answer that still comes is ignored
    retry_later(item, "no answer in time", now);
  }
  pump(now);
}

void ChainView::retry_later(Item& item, std::string why, Instant now) {
  ++item.tries;
  item.last_failure = why;
  status_.last_failure = std::move(why);
  if (!item.backoff) item.backoff.emplace(options_.retry_min, options_.retry_max);
  item.due = now + item.backoff->next(random_);
}

void ChainView::unusable(Item& item, std::string why, bool bloom_says_otherwise, Instant now) {
  ++status_.retries;
  if (++item.attempts < options_.logs_attempts_max) return retry_later(item, std::move(why), now);
  if (bloom_says_otherwise) note_bloom_lie();
  give_up(item, std::move(why));
}

void ChainView::give_up(Item& item, std::string why) {
  ++status_.missing;
  status_.last_failure = why;
  item.needs_logs = false;
  item.call_id = 0;
  // Reported in order, in front of its block.
  item.missing_because = std::move(why);
}

void ChainView::announce(Item item) {
  const bool given_up = !item.missing_because.empty();
  if (given_up) {
    events_.emplace_back(LogsMissing{.header = item.header, .why = std::move(item.missing_because)});
  }
  switch (item.kind) {
    case Item::Kind::gap:
      announced_.clear();
      events_.emplace_back(item.gap);
      return;
    case Item::Kind::late_logs: {
      // Also reported if it has left the window meanwhile.
      const auto block = std::ranges::find(announced_, item.header, &Announced::header);
      if (block != announced_.end()) {
        block->given_up = given_up;
        block->logs = item.logs;
      }
      if (item.logs == nullptr) return;
      events_.emplace_back(BlockLogsLate{.header = std::move(item.header), .logs = std::move(item.logs)});
      return;
    }
    case Item::Kind::baseline:
      events_.emplace_back(Baseline{item.header});
      break;
    case Item::Kind::block:
      events_.emplace_back(BlockAdded{.header = item.header, .logs = item.logs});
      break;
  }
  announced_.push_back(
      {.header = std::move(item.header), .logs = std::move(item.logs), .given_up = given_up});
  if (announced_.size() > std::size_t{options_.window_blocks} + 1) announced_.pop_front();
}

bool ChainView::tells_late_logs() const {
  return std::ranges::any_of(pending_, [](const Item& item) { return item.kind == Item::Kind::late_logs; });
}

std::vector<jsonrpc::UpstreamCall> ChainView::take_calls() {
  return std::exchange(calls_, {});
}

std::vector<ChainEvent> ChainView::take_events() {
  return std::exchange(events_, {});
}

std::optional<Instant> ChainView::next_timer() const {
  std::optional<Instant> earliest;
  for (std::size_t i = 0; i < active(); ++i) {
    const Item& item = pending_[i];
    if (!item.needs_logs || item.logs != nullptr) continue;
    Instant due = item.due;
    if (item.next_since) due = std::min(due, *item.next_since + options_.logs_wait_max);
    if (item.kind == Item::Kind::block) due = std::min(due, item.since + options_.head_wait);
    if (!earliest || due < *earliest) earliest = due;
  }
  return earliest;
}

}  // namespace fanfare::eth
