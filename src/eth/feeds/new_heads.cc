#include "eth/feeds/new_heads.h"

#include <deque>
#include <string>

namespace fanfare::eth {
namespace {

class NewHeadsFeed final : public Feed {
 public:
  using Feed::Feed;

  void add_interest(Interest&) const override {}  // heads are always followed
  void on_event(const SourceEvent& event) override {
    std::visit(Visitor{[this](const BlockAdded& block) { publish_head(*block.header); },
                       [this](const BlockRemoved& block) { taken_back_.push_front(block.header->hash); },
                       [this](const Gap& gap) {
                         close_without_notices("blocks " + std::to_string(gap.first) + " to " +
                                               std::to_string(gap.last) + " were missed");
                       },
                       Ignores<Baseline, BlockLogsLate, LogsMissing, Reorg, PendingHash, PendingBody,
                               PendingMissed, ReceiptsKnown, ReceiptsMissing, FeedEvent>{}},
               event);
  }
  void on_break() override {
    loop_.replay(type_);
    taken_back_.clear();
  }
  // The subscription was not sent those heads.
  void on_live() override { taken_back_.clear(); }

  std::optional<Replayed> replay_added(GroupIndex, const HistoryEvent& event, std::size_t& step) override {
    if (step++ > 0) return std::nullopt;
    return Replayed{.json = event.header->json, .logs_told = 0};
  }

 private:
  void publish_head(const Header& header) {
    if (still_stands(header)) return;
    publish(Whom::without_cursors, {.member = "result", .json = header.json});
    if (!has(Whom::with_cursors)) return;
    // Its logs come after it.
    const std::string cursor = to_cursor(loop_.trail().position(0));
    publish(Whom::with_cursors, {.member = "result", .json = header.json, .cursor = cursor});
  }
  bool still_stands(const Header& header) {
    if (!taken_back_.empty() && taken_back_.front() == header.hash) {
      taken_back_.pop_front();
      return true;
    }
    taken_back_.clear();
    return false;
  }

  // Heads that were published, then removed, and not replaced yet, in chain order. If the first of them
  // returns, every subscriber still has it.
  std::deque<Hash256> taken_back_;
};

}  // namespace

std::unique_ptr<Feed> make_new_heads_feed(FeedLoop& loop, SubscriptionType type) {
  return std::make_unique<NewHeadsFeed>(loop, type);
}

}  // namespace fanfare::eth
