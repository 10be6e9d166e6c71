#pragma once
// One client's subscription to one stream. Owned by its Client, on its loop's thread.

#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>

#include "pubsub/loop_hub.h"
#include "streams/messages.h"
#include "streams/record.h"
#include "streams/request.h"
#include "streams/stream.h"

namespace fanfare::streams {

class Client;

class Subscription final : public pubsub::HubSubscriber {
 public:
  // Joins the stream. begin() is called next.
  static std::expected<std::unique_ptr<Subscription>, JoinError> join(Client& client,
                                                                      const std::shared_ptr<Stream>& stream,
                                                                      const Request& request);
  // Sends the answer: now, or once the broker of a relayed stream has said what there is. What follows it is sent later.
  void begin();
  Subscription(Client& client, std::shared_ptr<Stream> stream, const Request& request);

  Stream& stream() const { return watch_.stream(); }
  std::string_view topic_name() const override { return stream().name(); }
  bool deliver(const SharedBytes& record) override;
  // Sends an event to the client, in its form.
  bool send(const SharedBytes& record) override;
  // The stream was removed; what waits is still sent.
  bool is_ending() const { return ended_; }
  // And nothing waits.
  bool has_ended() const { return ended_ && !is_behind(); }

 private:
  // The begin of a subscription: the events after `since` follow.
  struct Start {
    std::optional<Position> since;
    std::uint64_t serial = 0;  // of the value that the client has; zero: none, or unknown
  };

  // What was asked for, while there is no answer.
  struct Asked {
    Request request;
    Subscribed answer;
    bool is_answered = false;  // without knowing what follows
  };

  Start pick_start(const Request& request, Subscribed& answer);
  void take_joined(const Joined& joined, const Request& request, Subscribed& answer);
  void answer(const Asked& asked);
  void answer_unknown();
  void on_current() override;
  Start start_at_last_value(const pubsub::EventLog& log) const;
  static Start start_with_history(const pubsub::EventLog& log, std::size_t count, std::size_t bytes_max,
                                  Subscribed& answer);
  static Start resume(const pubsub::EventLog& log, const pubsub::Topic& topic, Position since,
                      Subscribed& answer);

  bool is_open() const override;
  bool is_congested() const override;
  bool has_room_behind(std::size_t bytes) override;
  void on_ready() override;
  void tell_missed(const Missed& missed) override;
  void on_notice(TopicNotice notice) override;
  void tell_degraded(bool is_degraded);

  Client& client_;
  Watch watch_;
  std::uint64_t serial_ = 0;  // of the last value sent; zero: the client has none, or missed the latest
  const bool positioned_;
  const bool delta_;
  bool ended_ = false;
  bool is_waiting_ = false;  // for on_current()
  bool is_told_degraded_ = false;
  std::unique_ptr<Asked> asked_;
};

static_assert(sizeof(Subscription) <= 96, "what a subscription costs, beside its entry in the client's list");

}  // namespace fanfare::streams
