#include "eth/chain_source.h"

#include <iterator>
#include <utility>

namespace fanfare::eth {
namespace {

ChainViewOptions with_window(ChainViewOptions options, std::uint32_t window_blocks) {
  options.window_blocks = window_blocks;
  return options;
}

void append_calls(std::vector<UpstreamCall>& all, std::vector<UpstreamCall> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

ChainSource::ChainSource(const ChainSourceOptions& options, Random& random)
    : heads_(options.heads, call_ids_, random),
      chain_(with_window(options.chain, options.heads.window_blocks), call_ids_, random),
      pending_(options.pending, call_ids_, random),
      syncing_(options.syncing, call_ids_, random),
      history_(options.history, call_ids_, random) {}

void ChainSource::start(Instant now) {
  now_ = now;
  heads_.start(now);
  pending_.start(now);
}

void ChainSource::poll_now(Instant now) {
  now_ = now;
  heads_.poll_now(now);
}

void ChainSource::restart_polling(Instant now) {
  heads_.restart_polling(now);
}

void ChainSource::on_timer(Instant now) {
  now_ = now;
  heads_.on_timer(now);
  move_heads_to_chain(now);
  chain_.on_timer(now);
  pending_.on_timer(now);
  syncing_.on_timer(now);
  history_.on_timer(now);
}

History::JobId ChainSource::resume(const Position& from, const HistoryNeeds& needs, Instant now) {
  now_ = now;
  return history_.resume(from, needs, now);
}

bool ChainSource::on_reply(std::uint64_t call_id, const CallResult& result, Instant now) {
  now_ = now;
  if (heads_.on_reply(call_id, result, now)) {
    move_heads_to_chain(now);
    return true;
  }
  return chain_.on_reply(call_id, result, now) || pending_.on_reply(call_id, result, now) ||
         syncing_.on_reply(call_id, result, now) || history_.on_reply(call_id, result, now);
}

void ChainSource::move_heads_to_chain(Instant now) {
  for (HeadEvent& event : heads_.take_events()) chain_.on_head_event(std::move(event), now);
}

void ChainSource::set_interest(std::size_t loop_index, const Interest& interest, Instant now) {
  now_ = now;
  if (interests_.size() <= loop_index) interests_.resize(loop_index + 1);
  const Interest before = std::exchange(interests_[loop_index], interest);
  Interest all;
  for (const Interest& one : interests_) all = merged(all, one);
  const bool same_logs = before.logs && before.logs_after == interest.logs_after;
  if (interest.logs && !same_logs) chain_.want_logs_from(history_.first_after(interest.logs_after), now);
  if (!all.logs && chain_.wants_logs()) chain_.stop_logs(now);
  pending_.set_wanted(all.pending, now);
  syncing_.set_wanted(all.syncing, now);
  if (interest.syncing && !before.syncing) syncing_.tell_again();
  if (!all.receipts) history_.stop_receipts();
  const bool same_receipts = before.receipts && before.receipts_after == interest.receipts_after;
  if (interest.receipts && !same_receipts) history_.want_receipts_after(interest.receipts_after);
}

std::vector<UpstreamCall> ChainSource::take_calls() {
  std::vector<UpstreamCall> calls = heads_.take_calls();
  append_calls(calls, chain_.take_calls());
  append_calls(calls, pending_.take_calls());
  append_calls(calls, syncing_.take_calls());
  append_calls(calls, history_.take_calls());
  return calls;
}

std::vector<SourceEvent> ChainSource::take_events() {
  std::vector<SourceEvent> events;
  for (ChainEvent& event : chain_.take_events()) {
    history_.on_event(event);
    std::visit([&events](auto& one) { events.emplace_back(std::move(one)); }, event);
  }
  for (PendingEvent& event : pending_.take_events()) {
    std::visit([&events](auto& one) { events.emplace_back(std::move(one)); }, event);
  }
  for (std::string& state : syncing_.take_events()) {
    events.emplace_back(SyncingChanged{std::move(state)});
  }
  // The history continues from the events just taken, so it may look only now.
  history_.set_view_state(chain_.tells_late_logs(), chain_.status().bloom_trusted);
  history_.pump(now_);
  for (ReceiptsEvent& event : history_.take_receipts()) {
    std::visit([&events](auto& one) { events.emplace_back(std::move(one)); }, event);
  }
  return events;
}

std::vector<History::Answer> ChainSource::take_history() {
  return history_.take_answers();
}

std::optional<Instant> ChainSource::next_timer() const {
  std::optional<Instant> earliest;
  for (const auto& timer : {heads_.next_timer(), chain_.next_timer(), pending_.next_timer(),
                            syncing_.next_timer(), history_.next_timer()}) {
    if (timer && (!earliest || *timer < *earliest)) earliest = timer;
  }
  return earliest;
}

}  // namespace fanfare::eth
