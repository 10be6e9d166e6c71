#pragma once
// For the simulation of the sources: a model of a gateway loop that handles a source's events, including
// mailboxes, and of its subscribers, whose histories are kept for the checks.

#include <algorithm>
#include <any>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "eth/feeds/new_finalized_heads.h"
#include "eth/subscription_manager.h"
#include "gateway/chain_follower.h"
#include "gateway/faulty_node_for_tests.h"
#include "pubsub/topic_table.h"
#include "sources_history.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway::simulated {

struct LogListener {
  eth::LogFilter filter;
  std::string params;
  eth::RecordingSubscriber told;
  Joined joined;
  std::size_t heads_before = 0;  // seen by the loop before the join
  eth::ConnectionKey key = 0;
};

struct ReceiptsListener {
  eth::ReceiptFilter filter;
  std::string params;
  eth::RecordingSubscriber told;
  Joined joined;
  std::size_t heads_before = 0;
  eth::ConnectionKey key = 0;
};

// A subscriber of newFinalizedHeads without cursors: its connection closes when blocks are missed or replaced. Then
// it subscribes again.
struct FinalizedListener {
  eth::RecordingSubscriber told;
  std::uint64_t results_before = 0;  // number of those of its earlier subscriptions
};

// A model of a gateway loop: its mailbox keeps events in order and adds delay.
class LoopModel {
 public:
  LoopModel(std::size_t index, upstream::testing::SimulatedTime& time, Random& random,
            ChainFollower& follower)
      : index_(index),
        time_(time),
        random_(random),
        follower_(follower),
        manager_({.network = "main/1", .types = eth::kAllSubscriptionTypes}, topics_,
                 [](std::string_view text) { return SharedBytes(as_bytes(text)); }) {}

  void mail(std::shared_ptr<const std::vector<eth::SourceEvent>> events) {
    in_order(inbox_free_, [this, events] {
      for (const eth::SourceEvent& event : *events) take(event);
      if (last_final_ && !was_named_final(*last_final_))
        throw std::runtime_error("finalized heads end at one that no node named");
    });
  }
  void listen_to_logs() {
    if (!shown_) return;
    auto listener = std::make_unique<LogListener>();
    listener->params = logs_.empty() ? "{}" : random_filter();
    begin(*listener);
    logs_.push_back(std::move(listener));
  }
  void listen_to_receipts() {
    if (!shown_) return;
    auto listener = std::make_unique<ReceiptsListener>();
    listener->params = random_.below(2) == 0
                           ? "null"
                           : R"({"transactionHashes":[")" + eth::simulated_topic(random_.below(4)) + "\"]}";
    begin(*listener);
    receipts_.push_back(std::move(listener));
  }
  void leave_some() {
    if (!receipts_.empty()) {
      manager_.drop(receipts_.front()->key);
      left_receipts_.push_back(std::move(receipts_.front()));
      receipts_.erase(receipts_.begin());
      interest_changed();
    }
    if (logs_.size() < 2) return;
    const std::size_t which = random_.below(logs_.size());
    manager_.drop(logs_[which]->key);
    // A subscriber that leaves early is not checked: its history has no defined end.
    left_.push_back(std::move(logs_[which]));
    logs_.erase(logs_.begin() + static_cast<std::ptrdiff_t>(which));
    interest_changed();
  }
  void check(const World& world) const {
    check_heads(heads_.results, heads_joined_, world);
    check_finalized(finalized_.told.results);
    check_finalized_end(finalized_.told.results, FaultyNode::kFinalDepth, world);
    for (const auto& listener : logs_) {
      const std::vector<std::string> since(
          added_.begin() + static_cast<std::ptrdiff_t>(listener->heads_before), added_.end());
      check_logs(listener->told.results, listener->filter, listener->joined.number,
                 lowest_kept(since, listener->joined.number), world);
    }
    for (const auto& listener : receipts_) {
      const std::vector<std::string> since(
          added_.begin() + static_cast<std::ptrdiff_t>(listener->heads_before), added_.end());
      check_receipts(listener->told.results, listener->filter, lowest_kept(since, listener->joined.number),
                     times_head_, world);
    }
  }
  // Whether the head's finalized block has been reported.
  bool has_final_of(const WorldBlock& head) const {
    const auto last = last_final();
    return last && *last + FaultyNode::kFinalDepth == head.block.number;
  }
  // Whether a later one has: a node named a block too early. None follows before the chain has grown past it.
  bool has_final_above(const WorldBlock& head) const {
    const auto last = last_final();
    return last && *last + FaultyNode::kFinalDepth > head.block.number;
  }
  bool has_listeners() const { return shown_.has_value(); }
  std::uint64_t heads_told() const { return heads_.results.size(); }
  std::uint64_t finalized_told() const { return finalized_.results_before + finalized_.told.results.size(); }
  std::uint64_t logs_told() const {
    std::uint64_t sum = 0;
    for (const auto& listener : logs_) sum += listener->told.results.size();
    return sum;
  }
  std::uint64_t receipts_told() const {
    std::uint64_t sum = 0;
    for (const auto& listener : receipts_) sum += listener->told.results.size();
    return sum;
  }
  std::uint64_t notices = 0;
  // An explicit notice is allowed (with the product's limits).
  bool notices_allowed = false;
  // Whether some node has answered "finalized" with this block.
  std::function<bool(const eth::Hash256&)> was_named_final;
  std::function<void(const std::string&)> tell = [](const std::string&) {};

 private:
  static constexpr eth::ConnectionKey kHeadsKey = 1'000'000;
  static constexpr eth::ConnectionKey kFinalizedKey = 1'000'001;

  std::optional<std::uint64_t> last_final() const {
    const std::vector<std::string>& results = finalized_.told.results;
    if (results.empty()) return std::nullopt;
    return eth::parse_header(results.back()).value().number;
  }

  template <typename Task>
  void in_order(Instant& free, Task task) {
    free = std::max(free, time_.now() + Duration(std::chrono::milliseconds(random_.below(60))));
    time_.call_at(free, std::move(task));
  }
  void interest_changed() {
    in_order(outbox_free_,
             [this, interest = manager_.interest()] { follower_.set_interest(index_, interest); });
  }

  void begin(LogListener& listener) {
    listener.filter = eth::parse_log_filter(listener.params).value();
    listener.told.results.clear();
    listener.joined = *shown_;
    listener.heads_before = added_.size();
    listener.key = ++last_key_;
    const auto id = manager_.subscribe(listener.key, listener.told, R"(["logs",)" + listener.params + "]");
    manager_.activate(listener.key, id.value());
    interest_changed();
  }
  void begin(ReceiptsListener& listener) {
    listener.filter = eth::parse_receipt_filter(listener.params).value();
    listener.told.results.clear();
    listener.joined = *shown_;
    listener.heads_before = added_.size();
    listener.key = ++last_key_;
    const auto id =
        manager_.subscribe(listener.key, listener.told, R"(["transactionReceipts",)" + listener.params + "]");
    manager_.activate(listener.key, id.value());
    interest_changed();
  }
  void begin_heads() {
    heads_.results.clear();
    heads_joined_ = *shown_;
    manager_.activate(kHeadsKey, manager_.subscribe(kHeadsKey, heads_, R"(["newHeads"])").value());
  }

  void begin_finalized() {
    check_finalized(finalized_.told.results);
    finalized_.results_before += finalized_.told.results.size();
    finalized_.told.results.clear();
    manager_.drop(kFinalizedKey);
    manager_.activate(kFinalizedKey,
                      manager_.subscribe(kFinalizedKey, finalized_.told, R"(["newFinalizedHeads"])").value());
    interest_changed();
  }

  void take(const eth::SourceEvent& event) {
    before(event);
    manager_.publish(event);
    bool closes = false;
    bool closes_finalized = false;
    for (const auto& closing : manager_.take_aftermath().closing) {
      for (const eth::ConnectionKey key : closing.connections)
        (key == kFinalizedKey ? closes_finalized : closes) = true;
    }
    if (closes_finalized) {
      tell("finalized heads close");
      begin_finalized();
    }
    after(event, closes);
  }
  // The order of the events.
  void before(const eth::SourceEvent& event) {
    std::visit(
        eth::Visitor{[this](const eth::Baseline& baseline) {
                       ++times_head_[baseline.header->hash];
                       announced_.erase(announced_.lower_bound(baseline.header->number), announced_.end());
                       announced_.emplace(baseline.header->number, baseline.header->hash);
                     },
                     [this](const eth::BlockAdded& added) {
                       const eth::Header& header = *added.header;
                       tell("head " + std::to_string(header.number) + " " +
                            eth::to_hex(header.hash).substr(0, 10) + (added.logs ? "" : " without logs"));
                       if (!chain_.empty() && chain_.back() != header.parent_hash) {
                         throw std::runtime_error("a block that is not the child of the last: " +
                                                  std::to_string(header.number));
                       }
                       chain_.push_back(header.hash);
                       announced_.insert_or_assign(header.number, header.hash);
                       ++times_head_[header.hash];
                       added_.push_back(header.json);
                     },
                     [this](const eth::BlockLogsLate& late) {
                       tell("late logs of " + std::to_string(late.header->number));
                     },
                     [this](const eth::BlockRemoved& removed) {
                       tell("removed " + std::to_string(removed.header->number));
                       announced_.erase(removed.header->number);
                       if (!chain_.empty() && chain_.back() != removed.header->hash) {
                         throw std::runtime_error("removed is not the last: " +
                                                  std::to_string(removed.header->number));
                       }
                       if (!chain_.empty()) chain_.pop_back();
                     },
                     [this](const eth::Reorg& reorg) { tell("reorg of " + std::to_string(reorg.depth)); },
                     [this](const eth::Gap&) { announced_.clear(); },
                     [this](const eth::FeedEvent& own) {
                       if (own.type == eth::SubscriptionType::new_finalized_heads)
                         before_finalized(std::any_cast<const eth::FinalizedEvent&>(own.body));
                     },
                     eth::Ignores<eth::LogsMissing, eth::PendingHash, eth::PendingBody, eth::PendingMissed,
                                  eth::ReceiptsKnown, eth::ReceiptsMissing>{}},
        event);
  }
  // A block is final only after it was a head, not in place of another one, and only up to one that a node named.
  void before_finalized(const eth::FinalizedEvent& event) {
    std::visit(eth::Visitor{[this](const eth::Baseline& baseline) {
                              tell("finalized heads begin at " + std::to_string(baseline.header->number));
                            },
                            [this](const eth::NewHead& head) { before_final(*head.header); },
                            [this](const eth::FinalizedUndone& undone) {
                              tell("finalized heads " + std::to_string(undone.first) + " to " +
                                   std::to_string(undone.last) + " are undone");
                            },
                            [this](const eth::Gap& gap) {
                              tell("finalized heads " + std::to_string(gap.first) + " to " +
                                   std::to_string(gap.last) + " are missing");
                            },
                            [this](const eth::FinalizedLost& lost) { tell("finalized heads: " + lost.why); }},
               event);
  }
  void before_final(const eth::Header& header) {
    const std::string name = std::to_string(header.number) + " " + eth::to_hex(header.hash).substr(0, 10);
    tell("finalized head " + name);
    last_final_ = header.hash;
    if (announced_.empty()) return;
    const auto announced = announced_.find(header.number);
    const bool is_known = announced != announced_.end() || header.number > announced_.rbegin()->first;
    if (is_known && (announced == announced_.end() || announced->second != header.hash))
      throw std::runtime_error("a finalized head that is no head: " + name);
  }
  // `closes`: the gateway would now close connections.
  void after(const eth::SourceEvent& event, bool closes) {
    std::visit(
        eth::Visitor{[this](const eth::Baseline& baseline) {
                       const bool first = !shown_.has_value();
                       show(*baseline.header);
                       if (!first) return notice("the chain went back to where nobody was", true);
                       begin_heads();
                       begin_finalized();
                       listen_to_logs();
                     },
                     [this](const eth::BlockAdded& added) {
                       show(*added.header);
                       if (restart_) restart();
                     },
                     [this](const eth::Gap& gap) {
                       notice("gap " + std::to_string(gap.first) + " to " + std::to_string(gap.last), true);
                     },
                     [this](const eth::Reorg& reorg) {
                       if (reorg.beyond_window) notice("reorg beyond the window", true);
                     },
                     [this, closes](const eth::LogsMissing& missing) {
                       if (closes) notice("logs missing: " + missing.why, false);
                     },
                     [this, closes](const eth::ReceiptsMissing&) {
                       if (closes) notice("receipts missing", false);
                     },
                     [closes](const eth::ReceiptsKnown& receipts) {
                       if (!closes) return;
                       throw std::runtime_error("receipts before these are missing: " +
                                                std::to_string(receipts.header->number));
                     },
                     eth::Ignores<eth::BlockLogsLate, eth::BlockRemoved, eth::PendingHash, eth::PendingBody,
                                  eth::PendingMissed, eth::FeedEvent>{}},
        event);
  }
  void show(const eth::Header& header) { shown_ = Joined{.number = header.number, .hash = header.hash}; }

  // The subscribers get a notice, and resume once a head shows their position.
  void notice(const std::string& what, bool heads_too) {
    tell("notice: " + what);
    ++notices;
    if (!notices_allowed) throw std::runtime_error("a notice without any limit near: " + what);
    restart_ = true;
    if (heads_too) chain_.clear();
    restart_heads_ = restart_heads_ || heads_too;
  }
  void restart() {
    restart_ = false;
    if (std::exchange(restart_heads_, false)) {
      manager_.drop(kHeadsKey);
      begin_heads();
    }
    for (const auto& listener : logs_) {
      manager_.drop(listener->key);
      begin(*listener);
    }
    for (const auto& listener : receipts_) {
      manager_.drop(listener->key);
      begin(*listener);
    }
  }

  std::string random_filter() {
    std::string json = "{";
    if (random_.below(2) == 0) json += R"("address":")" + eth::simulated_address(random_.below(3)) + "\",";
    json += "\"topics\":[";
    const std::uint64_t positions = random_.below(3);
    for (std::uint64_t i = 0; i < positions; ++i) {
      json += i > 0 ? "," : "";
      json += random_.below(2) == 0 ? "null" : '"' + eth::simulated_topic(random_.below(4)) + '"';
    }
    return json + "]}";
  }

  std::size_t index_;
  upstream::testing::SimulatedTime& time_;
  Random& random_;
  ChainFollower& follower_;
  pubsub::TopicTable topics_;
  eth::SubscriptionManager manager_;
  Instant inbox_free_{};
  Instant outbox_free_{};
  std::optional<Joined> shown_;
  std::vector<eth::Hash256> chain_;  // according to the events, from the first one on
  std::map<std::uint64_t, eth::Hash256> announced_;
  std::optional<eth::Hash256> last_final_;
  Joined heads_joined_;
  eth::RecordingSubscriber heads_;
  FinalizedListener finalized_;
  std::vector<std::unique_ptr<LogListener>> logs_;
  std::vector<std::unique_ptr<LogListener>> left_;
  std::vector<std::unique_ptr<ReceiptsListener>> receipts_;
  std::vector<std::unique_ptr<ReceiptsListener>> left_receipts_;
  TimesHead times_head_;
  std::vector<std::string> added_;  // heads, sent or not
  eth::ConnectionKey last_key_ = 0;
  bool restart_ = false;
  bool restart_heads_ = false;
};

}  // namespace fanfare::gateway::simulated
