#pragma once
// For tests only: a subscription manager as a loop has it, and subscribers that record their notifications.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eth/subscription_manager.h"

namespace fanfare::eth::testing {

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
  pubsub::TopicTable topics;
  SubscriptionManager manager;
};

}  // namespace fanfare::eth::testing
