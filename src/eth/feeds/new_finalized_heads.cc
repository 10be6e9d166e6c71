#include "eth/feeds/new_finalized_heads.h"

#include <algorithm>
#include <utility>

#include "eth/chain_source.h"
#include "eth/feeds/sourced_feed.h"
#include "eth/replay.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

constexpr std::string_view kLost = "the upstream does not report finalized blocks any more";

std::string blocks_of(std::uint64_t first, std::uint64_t last) {
  return "finalized blocks " + std::to_string(first) + " to " + std::to_string(last);
}

class NewFinalizedHeadsFeed final : public SourcedFeed<FinalizedEvent> {
 public:
  using SourcedFeed::SourcedFeed;

  void on_first_head() override {}  // its position is not that of the chain
  void lose(const std::string& why) override {
    loop_.replay(type_);
    close_without_notices(why);
  }
  const Trail& trail() const override { return trail_; }
  std::optional<Replayed> replay_added(GroupIndex, const HistoryEvent& event, std::size_t& step) override {
    if (step++ > 0) return std::nullopt;
    return Replayed{.json = event.header->json, .logs_told = Position::kAll};
  }
  HistoryNeeds history_needs() const override { return {.of = type_}; }
  void on_replayed(const Position& position) override {
    if (trail_.hash() == position.hash) trail_ = Trail(position);
  }

 private:
  void on_own_event(const FinalizedEvent& event) override {
    std::visit(Visitor{[this](const Baseline& baseline) {
                         // Subscriptions that live on: the source has started again.
                         if (trail_.number()) loop_.replay(type_);
                         close_without_notices("finalized blocks may have been missed");
                         move_to(*baseline.header);
                       },
                       [this](const NewHead& head) { publish_head(*head.header); },
                       [this](const FinalizedUndone& undone) {
                         const std::string notice = reorged_notice(undone.first, undone.last);
                         publish(Whom::with_cursors, {.member = "notice", .json = notice, .is_gap = true});
                         close_without_notices(blocks_of(undone.first, undone.last) + " were replaced");
                         next_ = undone.first;
                       },
                       [this](const Gap& gap) { miss(gap.first, gap.last); },
                       [this](const FinalizedLost& lost) {
                         loop_.end([this](GroupIndex index) { return is_with_cursors(index); }, lost.why);
                         close_without_notices(lost.why);
                       }},
               event);
  }
  bool is_with_cursors(GroupIndex index) const {
    return groups().contains(index) && loop_.group(index).has_cursors;
  }
  void miss(std::uint64_t first, std::uint64_t last) {
    if (trail_.number()) loop_.replay(type_);
    close_without_notices(blocks_of(first, last) + " were missed");
  }
  void publish_head(const Header& header) {
    if (next_ && header.number > *next_) miss(*next_, header.number - 1);
    move_to(header);
    publish(Whom::without_cursors, {.member = "result", .json = header.json});
    if (!has(Whom::with_cursors)) return;
    const std::string cursor = to_cursor(trail_.position(Position::kAll));
    publish(Whom::with_cursors, {.member = "result", .json = header.json, .cursor = cursor});
  }
  void move_to(const Header& header) {
    trail_.move_to(header);
    next_ = header.number + 1;
  }

  Trail trail_;  // the chain as far as it was published as finalized
  std::optional<std::uint64_t> next_;
};

}  // namespace

FinalizedSource::FinalizedSource(const FinalizedSourceOptions& options, const ChainSourceOptions& chain,
                                 jsonrpc::CallIds& call_ids, Random& random)
    : options_(options), heads_options_(chain.heads), call_ids_(call_ids), random_(random) {
  heads_options_.tag = "finalized";
  heads_options_.only_forward = true;
  heads_options_.backfill_blocks = 0;
  heads_options_.backoff_max = std::min<Duration>(heads_options_.backoff_max, std::chrono::seconds(1));
  HistoryOptions history = chain.history;
  // A cursor of a block that is not finalized yet waits until it is.
  history.waits_ahead = true;
  history_ = std::make_unique<History>(history, call_ids, random);
}

FinalizedSource::~FinalizedSource() = default;

void FinalizedSource::set_wanted(bool wanted, Instant now) {
  if (wanted == (heads_ != nullptr)) return;
  if (wanted) return begin(now);
  heads_.reset();
  poll_call_.reset();
  linked_.clear();
  final_.clear();
  finalized_.reset();
  reported_.reset();
  listeners_.refuse("nobody wants finalized heads any more");
}

void FinalizedSource::begin(Instant now) {
  heads_ = std::make_unique<HeadPoller>(heads_options_, call_ids_, random_);
  linked_.clear();
  final_.clear();
  finalized_.reset();
  reported_.reset();
  refusals_ = 0;
  unusable_ = 0;
  last_hint_ = now;
  heads_->set_pushed(true, now);  // each new head is a hint
  heads_->start(now);
}

// --- the announced chain ---------------------------------------------------------------------------

void FinalizedSource::on_chain_event(const ChainEvent& event, Instant now) {
  std::visit(Visitor{[&](const Baseline& baseline) { announced(*baseline.header, now); },
                     [&](const BlockAdded& block) { announced(*block.header, now); },
                     [&](const BlockRemoved& block) { announced_.erase(block.header->number); },
                     [&](const Reorg& reorg) { chain_left(reorg, now); },
                     [&](const Gap&) { announced_.clear(); }, Ignores<BlockLogsLate, LogsMissing>{}},
             event);
  drop_left_claim(now);
}

// The blocks up to the one that a node named are still being fetched, and meanwhile a reorg has removed it.
void FinalizedSource::drop_left_claim(Instant now) {
  if (heads_ == nullptr || !finalized_ || is_announced(*finalized_)) return;
  finalized_.reset();
  if (!heads_->is_idle() && !poll_call_) heads_->restart_polling(now);
}

void FinalizedSource::announced(const Header& header, Instant now) {
  announced_.erase(announced_.lower_bound(header.number), announced_.end());
  announced_.emplace(header.number, header.hash);
  if (announced_.size() > options_.announced_max) announced_.erase(announced_.begin());
  const auto final = final_.find(header.number);
  if (heads_ != nullptr && final != final_.end() && final->second != header.hash) {
    return undo_from(header.number, now);
  }
  if (heads_ == nullptr || now - last_hint_ < options_.poll_interval_min) return;
  last_hint_ = now;
  heads_->poll_now(now);
}

// The blocks that replace the removed ones follow: only they show whether finalized blocks are replaced. At the
// start the announced chain itself may be a branch, and such a reorg leads to the finalized blocks.
void FinalizedSource::chain_left(const Reorg& reorg, Instant now) {
  const std::uint64_t first = reorg.depth > reorg.old_number ? 0 : reorg.old_number - reorg.depth + 1;
  announced_.erase(announced_.lower_bound(first), announced_.end());
  const bool is_comparable = !reorg.beyond_window && !reorg.other_genesis;
  if (heads_ != nullptr && reported_ && first <= *reported_ && !is_comparable) undo_from(first, now);
}

// Only where finality means little: a development chain was reverted, or another chain took over.
void FinalizedSource::undo_from(std::uint64_t first, Instant now) {
  report(FinalizedUndone{.first = first, .last = *reported_});
  begin(now);
}

// A finalized block is not reported before its newHeads, and not if another block was announced in its place.
bool FinalizedSource::is_announced(const BlockId& block) const {
  if (announced_.empty()) return true;
  if (block.number > announced_.rbegin()->first) return false;
  const auto found = announced_.find(block.number);
  return found == announced_.end() || found->second == block.hash;
}

bool FinalizedSource::shows(std::uint64_t number, const Hash256& hash) const {
  return heads_ != nullptr && heads_->shows(number, hash);
}

// --- calls -----------------------------------------------------------------------------------------

std::vector<jsonrpc::UpstreamCall> FinalizedSource::take_calls() {
  std::vector<jsonrpc::UpstreamCall> calls = history_->take_calls();
  if (heads_ == nullptr) return calls;
  for (jsonrpc::UpstreamCall& call : heads_->take_calls()) {
    if (call.params_json.starts_with(R"(["finalized")")) {
      poll_call_ = call.id;
      call.attempt = unusable_;
    }
    calls.push_back(std::move(call));
  }
  return calls;
}

bool FinalizedSource::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  if (history_->on_reply(call_id, result, now)) return true;
  if (heads_ == nullptr) return false;
  const bool is_ours =
      call_id == poll_call_ ? on_polled(call_id, result, now) : heads_->on_reply(call_id, result, now);
  if (is_ours) take_heads();
  return is_ours;
}

bool FinalizedSource::on_polled(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  poll_call_.reset();
  const bool is_null = result && jsonrpc::kind_of(*result) == jsonrpc::Kind::null;
  const bool is_rejected = !result && result.error().kind == jsonrpc::CallFailure::Kind::rejected;
  if (is_null || is_rejected) {
    ++unusable_;
    const std::string why = is_null ? "the node has no finalized block" : result.error().message;
    const bool is_ours =
        heads_->on_reply(call_id, std::unexpected(jsonrpc::CallFailure{.message = why}), now);
    refused(why, now);
    return is_ours;
  }
  const auto header = result ? parse_header(*result) : std::unexpected(std::string());
  if (!header) return heads_->on_reply(call_id, result, now);
  refusals_ = 0;
  const BlockId named{.number = header->number, .hash = header->hash};
  if (!is_announced(named)) {
    ++unusable_;
    const jsonrpc::CallFailure failure{.message = "the finalized block is not on the announced chain"};
    return heads_->on_reply(call_id, std::unexpected(failure), now);
  }
  unusable_ = 0;
  if (!reported_ || named.number > *reported_) finalized_ = named;
  return heads_->on_reply(call_id, result, now);
}

// A node behind that has none says nothing about the others: the next call goes to another node.
void FinalizedSource::refused(const std::string& why, Instant now) {
  if (refusals_++ == 0) refused_since_ = now;
  if (refusals_ < options_.refusals_max) return;
  if (!reported_) return listeners_.refuse(why);
  if (now - refused_since_ < options_.patience) return;
  report(FinalizedLost{std::string(kLost)});
  begin(now);
}

void FinalizedSource::on_timer(Instant now) {
  history_->on_timer(now);
  if (heads_ != nullptr) {
    heads_->on_timer(now);
    take_heads();
  }
  listeners_.refuse_late(now, heads_ == nullptr ? "" : heads_->status().last_failure);
}

std::optional<Instant> FinalizedSource::next_timer() const {
  std::optional<Instant> earliest = history_->next_timer();
  const auto consider = [&earliest](std::optional<Instant> timer) {
    if (timer && (!earliest || *timer < *earliest)) earliest = timer;
  };
  if (heads_ != nullptr) consider(heads_->next_timer());
  consider(listeners_.next_deadline());
  return earliest;
}

// --- what it reports -------------------------------------------------------------------------------

void FinalizedSource::take_heads() {
  for (HeadEvent& event : heads_->take_events()) {
    std::visit(Visitor{[this](Baseline& baseline) {
                         report(std::move(baseline));
                         listeners_.accept();
                       },
                       [this](NewHead& head) { linked_.push_back(std::move(head.header)); },
                       [this](const Reorg& reorg) { take_reorg(reorg); },
                       [this](Gap& gap) {
                         gap.first = std::min(gap.first, *reported_ + 1);
                         linked_.clear();
                         report(gap);
                       }},
               event);
    report_linked();
  }
  report_linked();
}

// Each block up to the one that the node named is linked to it. Later ones may be there, fetched for a higher block
// that could not be reached.
void FinalizedSource::report_linked() {
  if (!finalized_ || linked_.empty() || finalized_->number < linked_.front()->number) return;
  const std::uint64_t index = finalized_->number - linked_.front()->number;
  if (index >= linked_.size() || linked_[index]->hash != finalized_->hash) return;
  for (std::uint64_t i = 0; i <= index; ++i) {
    HeaderPtr header = std::move(linked_.front());
    linked_.pop_front();
    report(NewHead{std::move(header)});
  }
}

// Blocks that were fetched for a jump turned out to be of another branch, or reported ones are gone.
void FinalizedSource::take_reorg(const Reorg& reorg) {
  const std::uint64_t first = reorg.depth > reorg.old_number ? 0 : reorg.old_number - reorg.depth + 1;
  while (!linked_.empty() && linked_.back()->number >= first) linked_.pop_back();
  if (first <= *reported_) report(FinalizedUndone{.first = first, .last = *reported_});
}

void FinalizedSource::report(FinalizedEvent event) {
  const auto pass_on = [this](ChainEvent to_history) { history_->on_event(to_history); };
  std::visit(Visitor{[&](const Baseline& baseline) {
                       final_.clear();
                       add_final(*baseline.header);
                       pass_on(baseline);
                     },
                     [&](const NewHead& head) {
                       add_final(*head.header);
                       pass_on(BlockAdded{.header = head.header, .logs = nullptr});
                     },
                     [&](const FinalizedUndone& undone) {
                       final_.erase(final_.lower_bound(undone.first), final_.end());
                       reported_ = undone.first == 0 ? 0 : undone.first - 1;
                     },
                     [&](const Gap& gap) {
                       final_.clear();
                       reported_ = gap.last;
                       pass_on(gap);
                     },
                     [&](const FinalizedLost&) { reported_.reset(); }},
             event);
  if (heads_ != nullptr && reported_) heads_->settle_to(*reported_);
  if (finalized_ && reported_ && finalized_->number <= *reported_) finalized_.reset();
  events_.emplace_back(std::move(event));
}

void FinalizedSource::add_final(const Header& header) {
  reported_ = header.number;
  final_.insert_or_assign(header.number, header.hash);
  if (final_.size() > options_.announced_max) final_.erase(final_.begin());
}

std::vector<std::any> FinalizedSource::take_events() {
  return std::exchange(events_, {});
}

// --- subscribers that wait for the first answer ------------------------------------------------------

std::uint64_t FinalizedSource::await_listening(Instant now) {
  const Listeners::Id id = listeners_.add(now + options_.listen_timeout);
  if (reported_) {
    listeners_.accept();
  } else if (refusals_ >= options_.refusals_max) {
    listeners_.refuse(heads_->status().last_failure);
  }
  return id;
}

std::unique_ptr<Feed> make_new_finalized_heads_feed(FeedLoop& loop, SubscriptionType type) {
  return std::make_unique<NewFinalizedHeadsFeed>(loop, type);
}

std::unique_ptr<FeedSource> make_new_finalized_heads_source(const ChainSourceOptions& options,
                                                            jsonrpc::CallIds& call_ids, Random& random) {
  return std::make_unique<FinalizedSource>(FinalizedSourceOptions{}, options, call_ids, random);
}

}  // namespace fanfare::eth
