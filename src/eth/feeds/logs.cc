#include "eth/feeds/logs.h"

#include <algorithm>
#include <utility>

#include "eth/filter_index.h"

namespace fanfare::eth {
namespace {

class LogsFeed final : public Feed {
 public:
  LogsFeed(FeedLoop& loop, SubscriptionType type) : Feed(loop, type), filters_(loop.salt()) {}

  void add_interest(Interest& interest) const override {
    if (is_empty()) return;
    interest.logs = true;
    interest.logs_after = after_;
  }

  void on_event(const SourceEvent& event) override {
    std::visit(
        Visitor{
            [this](const Baseline&) { trail_ = loop_.trail(); },
            [this](const BlockAdded& block) { on_added_block(block); },
            [this](const BlockLogsLate& late) {
              if (lacks_logs_of(*late.header)) begin(late.header, late.logs, false);
            },
            [this](const BlockRemoved& block) { on_removed_block(block); },
            [this](const LogsMissing& missing) { on_missing(*missing.header); },
            [this](const Reorg& reorg) {
              if (reorg.beyond_window) close_without_notices("a reorg went deeper than the window");
            },
            [this](const Gap& gap) {
              close_without_notices("blocks " + std::to_string(gap.first) + " to " +
                                    std::to_string(gap.last) + " were missed");
            },
            Ignores<PendingHash, PendingBody, PendingMissed, ReceiptsKnown, ReceiptsMissing, FeedEvent>{}},
        event);
  }
  bool step(std::size_t work_max) override {
    if (!pass_) return true;
    if (!publish_some(*pass_, work_max)) return false;
    end_pass();
    return true;
  }
  void on_event_over() override {
    if (const HeaderPtr gone = std::exchange(removed_, nullptr)) {
      if (trail_.number() >= gone->number) trail_.move_to_parent_of(*gone);
      const std::uint64_t left = gone->number > 0 ? gone->number - 1 : 0;
      for (Waiting& one : waiting_) one.number = std::min(one.number, left);
    }
    activate_ready();
  }
  void on_break() override {
    loop_.replay(type_);
    trail_.clear();
    // Every block that follows is new to subscriptions that waited for the logs of earlier ones.
    activate_ready();
  }
  void lose(const std::string& why) override {
    pass_.reset();
    Feed::lose(why);
  }

  // It begins after the last published head, once the logs up to there have arrived.
  bool must_wait(ConnectionKey connection, std::string_view id) override {
    if (!trail_.number() || trail_.number() >= loop_.trail().number()) return false;
    waiting_.push_back({.connection = connection, .id = std::string(id), .number = *loop_.trail().number()});
    return true;
  }
  const Trail& trail() const override { return trail_.number() ? trail_ : loop_.trail(); }

  HistoryNeeds history_needs() const override { return {.logs = true}; }
  std::optional<Replayed> replay_added(GroupIndex group, const HistoryEvent& event,
                                       std::size_t& step) override {
    if (step == 0 && event.kind == HistoryEvent::Kind::rest) step = event.logs_told;
    while (event.logs != nullptr && step < event.logs->entries.size()) {
      const BlockLogs::Entry& entry = event.logs->entries[step++];
      if (!filters_.filter(group).matches(entry.key)) continue;
      Replayed next{.json = {}, .logs_told = static_cast<std::uint32_t>(step)};
      BlockLogs::append_json(entry, false, next.json);
      return next;
    }
    return std::nullopt;
  }
  // Retracts what was sent of the block, the last log first.
  std::optional<Replayed> replay_removed(GroupIndex group, const HistoryEvent& event,
                                         std::size_t& step) override {
    const std::size_t told =
        event.logs == nullptr ? 0 : std::min<std::size_t>(event.logs_told, event.logs->entries.size());
    while (step + event.logs_kept < told) {
      const std::size_t index = told - 1 - step++;
      const BlockLogs::Entry& entry = event.logs->entries[index];
      if (!filters_.filter(group).matches(entry.key)) continue;
      Replayed next{.json = {}, .logs_told = static_cast<std::uint32_t>(index)};
      BlockLogs::append_json(entry, true, next.json);
      return next;
    }
    return std::nullopt;
  }
  void on_replayed(const Position& position) override {
    if (trail_.hash() == position.hash) trail_ = Trail(position);
  }

 private:
  // A block's logs on their way to the filters, in steps.
  struct Pass {
    HeaderPtr header;
    BlockLogsPtr logs;
    bool removed = false;
    Trail trail;  // becomes the feed's at the end
    std::size_t entry = 0;
    std::vector<FilterIndex::FilterId> matching = {};
    std::vector<std::uint32_t> generations = {};
    std::size_t next_match = 0;
    std::string result = {};
    std::string cursor = {};
  };
  struct Waiting {
    ConnectionKey connection = 0;
    std::string id;
    std::uint64_t number = 0;  // of the last block whose logs it does not get
  };

  void on_added(GroupIndex group, SubscriptionRequest& wanted) override {
    if (is_empty()) {
      after_ = published();
      trail_ = loop_.trail();
    }
    filters_.add(group, std::any_cast<LogFilter&&>(std::move(wanted.own)));
  }
  void on_removed(GroupIndex group) override { filters_.remove(group); }
  std::optional<BlockId> published() const {
    const Trail& trail = loop_.trail();
    if (!trail.number()) return std::nullopt;
    return BlockId{.number = *trail.number(), .hash = trail.hash()};
  }
  bool lacks_logs_of(const Header& header) const {
    return !is_empty() && !(trail_.number() >= header.number);
  }

  void on_added_block(const BlockAdded& block) {
    if (!trail_.number()) {
      trail_ = loop_.trail();
      trail_.move_to_parent_of(*block.header);
    }
    if (block.logs != nullptr) begin(block.header, block.logs, false);
  }
  void on_removed_block(const BlockRemoved& block) {
    removed_ = block.header;
    // Logs that were never sent need not be retracted.
    if (trail_.number() && trail_.number() < block.header->number) return;
    if (block.logs != nullptr) return begin(block.header, block.logs, true);
    // Subscriptions resumed from a cursor may hold logs of it, and must learn of the removal.
    loop_.replay(type_);
  }
  void on_missing(const Header& header) {
    if (!lacks_logs_of(header)) return;
    trail_.move_to(header);
    publish_missed(header.number, header.number, MissedBecause::unavailable);
    close_without_notices("the logs of block " + std::to_string(header.number) + " were missed");
  }

  void begin(const HeaderPtr& header, const BlockLogsPtr& logs, bool removed) {
    pass_.emplace(Pass{.header = header, .logs = logs, .removed = removed, .trail = trail_});
    pass_->trail.move_to(*header);
  }
  // At least one log is handled.
  bool publish_some(Pass& pass, std::size_t work_max) {
    const std::size_t count = pass.logs->entries.size();
    std::size_t work = 0;
    while (pass.entry < count) {
      const std::size_t index = pass.removed ? count - 1 - pass.entry : pass.entry;
      if (pass.next_match == 0) begin_log(pass, index, work);
      for (; pass.next_match < pass.matching.size(); ++pass.next_match, ++work) {
        if (work >= work_max && pass.next_match > 0) return false;
        publish_match(pass, index);
      }
      pass.next_match = 0;
      if (++pass.entry < count && work >= work_max) return false;
    }
    return true;
  }
  void begin_log(Pass& pass, std::size_t index, std::size_t& work) {
    const BlockLogs::Entry& entry = pass.logs->entries[index];
    pass.matching.clear();
    pass.generations.clear();
    if (filters_.size() == 0) return;
    work += 1 + filters_.match(entry.key, pass.matching);
    if (pass.matching.empty()) return;
    for (const auto group : pass.matching) pass.generations.push_back(loop_.group(group).generation);
    pass.result.clear();
    pass.cursor.clear();
    BlockLogs::append_json(entry, pass.removed, pass.result);
  }
  void publish_match(Pass& pass, std::size_t index) {
    const std::uint32_t group_index = pass.matching[pass.next_match];
    // A delivery may have dropped the group, and its slot may hold another filter by now.
    FeedGroup& group = loop_.group(group_index);
    if (group.generation != pass.generations[pass.next_match]) return;
    if (group.has_cursors && pass.cursor.empty()) {
      pass.cursor =
          to_cursor(pass.trail.position(static_cast<std::uint32_t>(pass.removed ? index : index + 1)));
    }
    group.last_told = pass.header->number;
    const std::string_view its_cursor =
        group.has_cursors ? std::string_view(pass.cursor) : std::string_view();
    loop_.publish(group_index,
                  {.member = "result", .json = pass.result, .cursor = its_cursor, .retracts = pass.removed});
  }
  void end_pass() {
    const Pass pass = *std::exchange(pass_, std::nullopt);
    if (pass.removed) return;  // on_event_over() leaves the block
    trail_ = pass.trail;
    if (!is_empty()) loop_.count_match();
    publish_position_to_silent_groups(*pass.header, trail_);
  }
  void activate_ready() {
    std::vector<Waiting> ready;
    std::erase_if(waiting_, [&](Waiting& one) {
      if (trail_.number() && *trail_.number() < one.number) return false;
      ready.push_back(std::move(one));
      return true;
    });
    for (const Waiting& one : ready) loop_.activate_held(one.connection, one.id);
  }

  FilterIndex filters_;  // ids are those of the groups
  Trail trail_;          // the chain as far as logs were published, which may lag behind heads
  std::optional<BlockId> after_;
  std::optional<Pass> pass_;
  HeaderPtr removed_;  // of the event that is being published
  std::vector<Waiting> waiting_;
};

}  // namespace

std::expected<void, std::string> parse_logs(std::string_view parameter, SubscriptionRequest& request) {
  auto filter = parse_log_filter(parameter);
  if (!filter) return std::unexpected(std::move(filter.error()));
  request.topic.append(1, ':').append(filter->canonical());
  request.alternatives = filter->addresses.size();
  for (const auto& position : filter->topics) request.alternatives += position.size();
  request.own = std::move(*filter);
  return {};
}

std::unique_ptr<Feed> make_logs_feed(FeedLoop& loop, SubscriptionType type) {
  return std::make_unique<LogsFeed>(loop, type);
}

}  // namespace fanfare::eth
