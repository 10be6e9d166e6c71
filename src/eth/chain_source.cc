#include "eth/chain_source.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fanfare::eth {
namespace {

ChainViewOptions with_window(ChainViewOptions options, std::uint32_t window_blocks) {
  options.window_blocks = window_blocks;
  return options;
}

// Ids of several sources in one: the type's number above those of its source.
constexpr unsigned kTypeShift = 56;
constexpr std::uint64_t of_type(std::size_t type, std::uint64_t id) {
  return std::uint64_t{type} << kTypeShift | id;
}
constexpr auto kChain = static_cast<std::size_t>(SubscriptionType::new_heads);  // the chain's own history
constexpr auto kPending = static_cast<std::size_t>(SubscriptionType::new_pending_transactions);

void append_calls(std::vector<jsonrpc::UpstreamCall>& all, std::vector<jsonrpc::UpstreamCall> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

ChainSource::ChainSource(const ChainSourceOptions& options, Random& random)
    : heads_(options.heads, call_ids_, random),
      chain_(with_window(options.chain, options.heads.window_blocks), call_ids_, random),
      pending_(options.pending, call_ids_, random),
      history_(options.history, call_ids_, random),
      logs_warm_up_(options.logs_warm_up),
      is_warming_up_(options.logs_warm_up > Duration::zero()) {
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const FeedType& row = feed_type(static_cast<SubscriptionType>(i));
    if (row.make_source != nullptr) feeds_[i] = row.make_source(options, call_ids_, random);
  }
}

void ChainSource::start(Instant now) {
  now_ = now;
  if (is_warming_up_) chain_.want_logs_from(history_.first_after({}), now);
  heads_.start(now);
  pending_.start(now);
}

void ChainSource::poll_now(Instant now) {
  now_ = now;
  heads_.poll_now(now);
}

void ChainSource::set_heads_pushed(bool pushed, Instant now) {
  heads_pushed_ = pushed;
  heads_.set_pushed(pushed, now);
}

void ChainSource::set_hints_live(HeadHints::Source source, bool live, Instant now) {
  now_ = now;
  hints_.set_live(source, live);
  follow_hints(now);
}

void ChainSource::saw_hint(HeadHints::Source source, HeadHints::Source preferred, const Header& header,
                           Instant now) {
  now_ = now;
  hints_.saw(source, preferred, header.number, header.hash);
  follow_hints(now);
}

void ChainSource::follow_hints(Instant now) {
  hints_.step(now);
  if (!hints_.is_due(now)) return;
  hints_.begin_poll(now);
  heads_.poll_now(now, heads_pushed_ ? Duration::zero() : heads_.status().poll_interval / 2);
}

void ChainSource::restart_polling(Instant now) {
  heads_.restart_polling(now);
}

void ChainSource::on_timer(Instant now) {
  now_ = now;
  heads_.on_timer(now);
  follow_hints(now);
  move_heads_to_chain(now);
  end_warm_up(now);
  chain_.on_timer(now);
  pending_.on_timer(now);
  for (const auto& feed : feeds_) {
    if (feed) feed->on_timer(now);
  }
  history_.on_timer(now);
}

std::uint64_t ChainSource::resume(const Position& from, const HistoryNeeds& needs, Instant now) {
  now_ = now;
  const auto type = static_cast<std::size_t>(needs.of);
  History* const own = feeds_[type] ? feeds_[type]->history() : nullptr;
  return own == nullptr ? of_type(kChain, history_.resume(from, needs, now))
                        : of_type(type, own->resume(from, needs, now));
}

std::uint64_t ChainSource::await_listening(SubscriptionType type, Instant now) {
  const auto index = static_cast<std::size_t>(type);
  if (index == kPending) return of_type(index, pending_.await_listening(now));
  return of_type(index, feed_source(type).await_listening(now));
}

std::vector<Listening> ChainSource::take_listening() {
  std::vector<Listening> all;
  const auto append = [&all](std::size_t type, std::vector<Listening> some) {
    for (Listening& one : some) {
      all.push_back({.listener = of_type(type, one.listener), .refusal = std::move(one.refusal)});
    }
  };
  append(kPending, pending_.take_listening());
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    if (feeds_[i]) append(i, feeds_[i]->take_listening());
  }
  return all;
}

bool ChainSource::shows(std::uint64_t number, const Hash256& hash) const {
  return heads_.shows(number, hash) || std::ranges::any_of(feeds_, [&](const auto& feed) {
           return feed != nullptr && feed->shows(number, hash);
         });
}

bool ChainSource::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  now_ = now;
  if (heads_.on_reply(call_id, result, now)) {
    follow_hints(now);
    move_heads_to_chain(now);
    return true;
  }
  if (chain_.on_reply(call_id, result, now) || pending_.on_reply(call_id, result, now)) return true;
  const auto is_of = [&](const auto& feed) { return feed && feed->on_reply(call_id, result, now); };
  return std::ranges::any_of(feeds_, is_of) || history_.on_reply(call_id, result, now);
}

void ChainSource::move_heads_to_chain(Instant now) {
  for (HeadEvent& event : heads_.take_events()) chain_.on_head_event(std::move(event), now);
  if (is_warming_up_ && !warm_until_ && heads_.tip()) warm_until_ = now + logs_warm_up_;
}

bool ChainSource::needs_logs() const {
  return std::ranges::any_of(interests_, &Interest::logs);
}

void ChainSource::end_warm_up(Instant now) {
  if (!warm_until_ || now < *warm_until_) return;
  warm_until_.reset();
  is_warming_up_ = false;
  if (!needs_logs()) chain_.stop_logs(now);
}

void ChainSource::set_interest(std::size_t loop_index, const Interest& interest, Instant now) {
  now_ = now;
  if (interests_.size() <= loop_index) interests_.resize(loop_index + 1);
  const Interest before = std::exchange(interests_[loop_index], interest);
  Interest all;
  for (const Interest& one : interests_) all = merged(all, one);
  const bool same_logs = before.logs && before.logs_after == interest.logs_after;
  if (interest.logs && !same_logs) chain_.want_logs_from(history_.first_after(interest.logs_after), now);
  if (!all.logs && chain_.wants_logs() && !is_warming_up_) chain_.stop_logs(now);
  pending_.set_wanted(all.pending, now);
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    if (!feeds_[i]) continue;
    feeds_[i]->set_wanted(all.sources[i], now);
    if (interest.sources[i] && !before.sources[i]) feeds_[i]->on_new_loop();
  }
  if (!all.receipts) history_.stop_receipts();
  const bool same_receipts = before.receipts && before.receipts_after == interest.receipts_after;
  if (interest.receipts && !same_receipts) history_.want_receipts_after(interest.receipts_after);
}

std::vector<jsonrpc::UpstreamCall> ChainSource::take_calls() {
  std::vector<jsonrpc::UpstreamCall> calls = heads_.take_calls();
  append_calls(calls, chain_.take_calls());
  append_calls(calls, pending_.take_calls());
  for (const auto& feed : feeds_) {
    if (feed) append_calls(calls, feed->take_calls());
  }
  append_calls(calls, history_.take_calls());
  return calls;
}

std::vector<SourceEvent> ChainSource::take_events() {
  std::vector<SourceEvent> events;
  for (ChainEvent& event : chain_.take_events()) {
    history_.on_event(event);
    for (const auto& feed : feeds_) {
      if (feed) feed->on_chain_event(event, now_);
    }
    std::visit([&events](auto& one) { events.emplace_back(std::move(one)); }, event);
  }
  for (PendingEvent& event : pending_.take_events()) {
    std::visit([&events](auto& one) { events.emplace_back(std::move(one)); }, event);
  }
  take_feed_events(events);
  // The history continues from the events just taken, so it may look only now.
  history_.set_view_state(chain_.tells_late_logs(), chain_.status().bloom_trusted);
  history_.pump(now_);
  for (ReceiptsEvent& event : history_.take_receipts()) {
    std::visit([&events](auto& one) { events.emplace_back(std::move(one)); }, event);
  }
  return events;
}

void ChainSource::take_feed_events(std::vector<SourceEvent>& events) {
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    if (!feeds_[i]) continue;
    for (std::any& body : feeds_[i]->take_events()) {
      events.emplace_back(FeedEvent{.type = static_cast<SubscriptionType>(i), .body = std::move(body)});
    }
    if (History* const own = feeds_[i]->history()) own->pump(now_);
  }
}

std::vector<History::Answer> ChainSource::take_history() {
  std::vector<History::Answer> all;
  const auto append = [&all](std::size_t type, std::vector<History::Answer> some) {
    for (History::Answer& one : some) {
      all.push_back({.job = of_type(type, one.job), .batch = std::move(one.batch)});
    }
  };
  append(kChain, history_.take_answers());
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    History* const own = feeds_[i] ? feeds_[i]->history() : nullptr;
    if (own != nullptr) append(i, own->take_answers());
  }
  return all;
}

std::optional<Instant> ChainSource::next_timer() const {
  std::optional<Instant> earliest;
  const auto consider = [&earliest](std::optional<Instant> timer) {
    if (timer && (!earliest || *timer < *earliest)) earliest = timer;
  };
  for (const auto& timer : {warm_until_, heads_.next_timer(), hints_.next_timer(), chain_.next_timer(),
                            pending_.next_timer(), history_.next_timer()}) {
    consider(timer);
  }
  for (const auto& feed : feeds_) {
    if (feed) consider(feed->next_timer());
  }
  return earliest;
}

}  // namespace fanfare::eth
