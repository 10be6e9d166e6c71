#include "eth/feeds/transaction_receipts.h"

#include <utility>

#include "eth/receipt_filters.h"

namespace fanfare::eth {
namespace {

class TransactionReceiptsFeed final : public Feed {
 public:
  using Feed::Feed;

  void add_interest(Interest& interest) const override {
    if (is_empty()) return;
    interest.receipts = true;
    interest.receipts_after = after_;
  }
  void on_event(const SourceEvent& event) override {
    std::visit(
        Visitor{[this](const Baseline&) { trail_ = loop_.trail(); },
                [this](const BlockAdded& block) {
                  if (trail_.number()) return;
                  trail_ = loop_.trail();
                  trail_.move_to_parent_of(*block.header);
                },
                [this](const BlockRemoved& block) {
                  if (trail_.number() >= block.header->number) trail_.move_to_parent_of(*block.header);
                },
                [this](const ReceiptsKnown& known) {
                  miss_before(*known.header);
                  publish_receipts(*known.header, *known.receipts);
                },
                [this](const ReceiptsMissing& missing) {
                  const std::uint64_t number = missing.header->number;
                  if (!lacks(*missing.header)) return;
                  trail_.move_to(*missing.header);
                  miss(number, number);
                },
                [this](const Reorg& reorg) {
                  if (reorg.beyond_window) close_without_notices("a reorg went deeper than the window");
                },
                [this](const Gap& gap) {
                  close_without_notices("blocks " + std::to_string(gap.first) + " to " +
                                        std::to_string(gap.last) + " were missed");
                },
                Ignores<BlockLogsLate, LogsMissing, PendingHash, PendingBody, PendingMissed, FeedEvent>{}},
        event);
  }
  void on_break() override {
    loop_.replay(type_);
    trail_.clear();  // subscriptions without cursors continue from the chain's position
  }
  const Trail& trail() const override { return trail_.number() ? trail_ : loop_.trail(); }

  HistoryNeeds history_needs() const override { return {.receipts = true}; }
  std::optional<Replayed> replay_added(GroupIndex group, const HistoryEvent& event,
                                       std::size_t& step) override {
    if (event.receipts == nullptr || step++ > 0) return std::nullopt;
    std::string json = matching_receipts(*event.receipts, filters_.filter(group));
    if (json.empty()) return std::nullopt;
    return Replayed{.json = std::move(json), .logs_told = Position::kAll};
  }
  void on_replayed(const Position& position) override {
    if (trail_.hash() == position.hash) trail_ = Trail(position);
  }

 private:
  void on_added(GroupIndex group, SubscriptionRequest& wanted) override {
    if (is_empty()) {
      trail_ = loop_.trail();
      after_.reset();
      if (trail_.number()) after_ = BlockId{.number = *trail_.number(), .hash = trail_.hash()};
    }
    filters_.add(group, std::any_cast<ReceiptFilter&&>(std::move(wanted.own)));
  }
  void on_removed(GroupIndex group) override { filters_.remove(group); }

  // Blocks come in order: one that was already published here is meant for another loop.
  bool lacks(const Header& header) const { return !is_empty() && !(trail_.number() >= header.number); }
  // The blocks between the last one whose receipts were published here and this one: there should be none.
  void miss_before(const Header& header) {
    const auto told = trail_.number();
    if (is_empty() || !told || header.number <= *told + 1) return;
    miss(*told + 1, header.number - 1);
  }
  void miss(std::uint64_t first, std::uint64_t last) {
    publish_missed(first, last, MissedBecause::unavailable);
    std::string words = "the receipts of block " + std::to_string(first);
    if (last > first) words.append(" to ").append(std::to_string(last));
    close_without_notices(words + " were missed");
  }
  void publish_receipts(const Header& header, const BlockReceipts& receipts) {
    if (!lacks(header)) return;
    trail_.move_to(header);
    const std::string cursor = to_cursor(trail_.position(Position::kAll));
    std::vector<std::pair<GroupIndex, std::uint32_t>> matching;
    for (const GroupIndex index : filters_.match(receipts)) {
      matching.emplace_back(index, loop_.group(index).generation);
    }
    for (const auto& [index, generation] : matching) {
      FeedGroup& group = loop_.group(index);
      if (group.generation != generation) continue;  // a delivery has dropped the group
      group.last_told = header.number;
      const std::string json = matching_receipts(receipts, filters_.filter(index));
      loop_.publish(index, {.member = "result",
                            .json = json,
                            .cursor = group.has_cursors ? std::string_view(cursor) : std::string_view()});
    }
    publish_position_to_silent_groups(header, trail_);
  }

  ReceiptFilters filters_;
  Trail trail_;                   // the chain as far as receipts were published; while they are needed
  std::optional<BlockId> after_;  // where publishing began
};

}  // namespace

std::expected<void, std::string> parse_transaction_receipts(std::string_view parameter,
                                                            SubscriptionRequest& request) {
  auto filter = parse_receipt_filter(parameter);
  if (!filter) return std::unexpected(std::move(filter.error()));
  request.topic.append(filter->canonical());
  request.alternatives = filter->transactions.size();
  request.own = std::move(*filter);
  return {};
}

std::unique_ptr<Feed> make_transaction_receipts_feed(FeedLoop& loop, SubscriptionType type) {
  return std::make_unique<TransactionReceiptsFeed>(loop, type);
}

}  // namespace fanfare::eth
