#include "eth/feeds/new_pending_transactions.h"

#include <map>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

class NewPendingTransactionsFeed final : public Feed {
 public:
  using Feed::Feed;

  void add_interest(Interest& interest) const override {
    if (!is_empty()) interest.pending = std::max(interest.pending, PendingWanted::hashes);
    for (const auto& [group, whole] : whole_) {
      if (whole) interest.pending = PendingWanted::bodies;
    }
  }
  void on_event(const SourceEvent& event) override {
    std::visit(Visitor{[this](const PendingHash& hash) {
                         if (!is_empty()) publish_to(false, '"' + hash.hash + '"');
                       },
                       [this](const PendingBody& body) { publish_to(true, body.transaction_json); },
                       [this](const PendingMissed& missed) {
                         miss(missed.bodies_only,
                              "pending transactions may have been missed: " + std::string(missed.why));
                       },
                       Ignores<Baseline, BlockAdded, BlockLogsLate, BlockRemoved, LogsMissing, Reorg, Gap,
                               ReceiptsKnown, ReceiptsMissing, FeedEvent>{}},
               event);
  }
  void lose(const std::string& why) override { miss(false, why); }
  std::optional<Greeting> greeting(const FeedGroup&) const override { return std::nullopt; }

 private:
  void on_added(GroupIndex group, SubscriptionRequest& wanted) override {
    whole_[group] = std::any_cast<bool>(wanted.own);
  }
  void on_removed(GroupIndex group) override { whole_.erase(group); }

  // Streams without notices first.
  void publish_to(bool whole, const std::string& json) {
    for (const bool notices : {false, true}) {
      for (const auto& [group, generation] : groups_of(whole, notices)) {
        if (loop_.group(group).generation != generation) continue;  // a delivery has dropped the group
        loop_.publish(group, {.member = "result", .json = json});
      }
    }
  }
  std::vector<std::pair<GroupIndex, std::uint32_t>> groups_of(bool whole, bool notices) {
    std::vector<std::pair<GroupIndex, std::uint32_t>> found;
    for (const auto& [index, its_whole] : whole_) {
      const FeedGroup& group = loop_.group(index);
      if (its_whole == whole && group.ends_with_notice == notices)
        found.emplace_back(index, group.generation);
    }
    return found;
  }
  void miss(bool bodies_only, const std::string& why) {
    const auto concerns = [this, bodies_only](GroupIndex index, bool notices) {
      const auto found = whole_.find(index);
      if (found == whole_.end() || loop_.group(index).ends_with_notice != notices) return false;
      return !bodies_only || found->second;
    };
    loop_.end([&](GroupIndex index) { return concerns(index, true); }, why);
    loop_.close([&](GroupIndex index) { return concerns(index, false); }, why);
  }

  std::map<GroupIndex, bool> whole_;  // whole transactions, or hashes
};

}  // namespace

std::expected<void, std::string> parse_new_pending_transactions(std::string_view parameter,
                                                                SubscriptionRequest& request) {
  bool whole = false;
  const jsonrpc::Kind kind = parameter.empty() ? jsonrpc::Kind::null : jsonrpc::kind_of(parameter);
  bool is_absent = kind == jsonrpc::Kind::null;
  if (kind == jsonrpc::Kind::object) {
    const auto members = jsonrpc::object_members(parameter);
    is_absent = members.begin() == members.end();
  }
  if (!is_absent) {
    const auto value = jsonrpc::bool_value(parameter);
    if (!value) return std::unexpected("the second parameter must be true or false");
    whole = *value;
  }
  if (whole) request.topic += ":full";
  request.own = whole;
  return {};
}

std::unique_ptr<Feed> make_new_pending_transactions_feed(FeedLoop& loop, SubscriptionType type) {
  return std::make_unique<NewPendingTransactionsFeed>(loop, type);
}

}  // namespace fanfare::eth
