#pragma once
// A permit whose answers the test sets, and which counts.

#include <set>
#include <string>

#include "streams/permit.h"

namespace fanfare::streams {

class TestPermit final : public Permit {
 public:
  void begin(PermitHolder& its_holder) override { holder = &its_holder; }
  bool may_read(std::string_view stream) const override { return granted.contains(std::string(stream)); }
  void count_refused() override { ++refused; }
  std::optional<Refusal> take_message() override {
    if (messages == 0) return Refusal{.message = "no messages left", .retry_after = std::chrono::seconds(2)};
    --messages;
    return std::nullopt;
  }
  std::optional<Refusal> take_subscription() override {
    if (subscriptions == 0) {
      return Refusal{.message = "no subscriptions left", .retry_after = std::chrono::microseconds(1500)};
    }
    --subscriptions;
    return std::nullopt;
  }
  void give_back_subscriptions(std::uint32_t count) override { subscriptions += count; }
  void charge_bytes(std::size_t count) override { bytes += count; }
  std::expected<void, Refusal> authenticate(std::string_view token) override {
    if (token != "good") return std::unexpected(Refusal{.message = "not the token"});
    granted.insert("s");
    return {};
  }

  std::set<std::string, std::less<>> granted = {};
  std::uint32_t messages = 100;
  std::uint32_t subscriptions = 100;
  std::size_t refused = 0;
  std::size_t bytes = 0;
  PermitHolder* holder = nullptr;
};

}  // namespace fanfare::streams
