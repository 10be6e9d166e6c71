#pragma once
// One hub topic subscription of one public session. Owned by its connection. Used on the loop's thread only.

#include <string_view>

#include "api/subscription.h"
#include "pubsub/loop_hub.h"
#include "session/session.h"

namespace fanfare::api {

class HubSubscription final : public pubsub::HubSubscriber {
 public:
  explicit HubSubscription(session::Session& engine) : engine_(engine) {}
  ~HubSubscription() override;
  HubSubscription(const HubSubscription&) = delete;
  HubSubscription& operator=(const HubSubscription&) = delete;

  bool deliver(const SharedBytes& frame) override;
  std::string_view topic_name() const override { return topic()->name; }
  // The topic was removed and no event waits: the owner destroys this subscription and notifies the program.
  bool has_ended() const { return ended_ && !is_behind(); }

 private:
  bool is_open() const override { return engine_.is_open(); }
  bool is_congested() const override { return engine_.is_congested(); }
  bool send(const SharedBytes& frame) override;
  bool has_room_behind(std::size_t bytes) override { return engine_.has_room_behind(bytes); }
  void on_ready() override;
  void tell_missed(const Missed& missed) override;
  void on_notice(TopicNotice notice) override;

  session::Session& engine_;
  bool ended_ = false;
};

static_assert(sizeof(HubSubscription) <= 64,
              "what a subscriber of a hub topic costs, beside its map's entry");

}  // namespace fanfare::api
