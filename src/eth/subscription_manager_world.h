#pragma once
// For tests only: a subscription manager as a loop has it, and subscribers that record their notifications.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "eth/feeds/syncing.h"
#include "eth/subscription_manager.h"

namespace fanfare::eth::worlds {

struct Client final : pubsub::Subscriber {
  bool deliver(const SharedBytes& frame) override {
    got.emplace_back(as_text(frame.view()));
    addresses.push_back(frame.view().data());
    if (then) then();
    return true;
  }
  bool is_congested() const override { return congested; }

  bool congested = false;
  std::vector<std::string> got;
  std::vector<const std::uint8_t*> addresses;
  std::function<void()> then;
};

inline constexpr std::string_view kNewHeads = R"(["newHeads"])";
inline const Header kBlock{.number = 5, .hash = {}, .parent_hash = {}, .json = "{}"};

struct Loop {
  explicit Loop(std::uint32_t limit = 100, SubscriptionTypes types = kAllSubscriptionTypes)
      : manager({.network = "main/1", .salt = {7}, .subscriptions_per_connection_max = limit, .types = types},
                topics, [](std::string_view text) { return SharedBytes(as_bytes(text)); }) {}

  std::string subscribe(ConnectionKey key, Client& client, std::string_view params = kNewHeads) {
    const std::string id = manager.subscribe(key, client, params).value();
    manager.activate(key, id);
    return id;
  }
  // Each returns how many subscribers got a result.
  std::size_t publish(const SourceEvent& event) {
    const std::uint64_t before = results();
    manager.publish(event);
    return static_cast<std::size_t>(results() - before);
  }
  std::size_t publish_head(const Header& header) {
    return publish(BlockAdded{.header = std::make_shared<const Header>(header), .logs = nullptr});
  }
  // The next block.
  std::size_t publish_head(std::string_view json) {
    return publish_head(Header{.number = ++last_number, .json = std::string(json)});
  }
  std::size_t publish_logs(const Header& header, const BlockLogs& logs, bool removed) {
    const auto its_header = std::make_shared<const Header>(header);
    const auto its_logs = std::make_shared<const BlockLogs>(logs);
    if (removed) return publish(BlockRemoved{.header = its_header, .logs = its_logs});
    return publish(BlockAdded{.header = its_header, .logs = its_logs});
  }
  std::size_t publish_pending_hash(std::string_view hash) { return publish(PendingHash{std::string(hash)}); }
  std::size_t publish_pending_body(std::string_view json) {
    return publish(PendingBody{.transaction_json = std::string(json)});
  }
  std::size_t publish_syncing(std::string_view state) {
    return publish(FeedEvent{.type = SubscriptionType::syncing, .body = SyncingChanged{std::string(state)}});
  }
  // How many subscriptions ended with a notice; `closed` has the connections of the others.
  std::size_t miss_pending(bool bodies_only) {
    const std::uint64_t before = manager.counters().ended;
    manager.publish(PendingMissed{.bodies_only = bodies_only, .why = "a \"hole\"", .detail = {}});
    closed.clear();
    for (const auto& closing : manager.take_aftermath().closing) {
      closed.insert(closed.end(), closing.connections.begin(), closing.connections.end());
    }
    std::ranges::sort(closed);
    return static_cast<std::size_t>(manager.counters().ended - before);
  }
  std::uint64_t results() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t of_type : manager.counters().results) sum += of_type;
    return sum;
  }

  pubsub::TopicTable topics;
  SubscriptionManager manager;
  std::uint64_t last_number = 0;
  std::vector<ConnectionKey> closed;
};

}  // namespace fanfare::eth::worlds
