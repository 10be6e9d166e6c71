#pragma once
// Connections between instances and clients, and what stands at the instance's end of each: a subscriber of a topic of the
// program, or a client of the streams.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "fanfare/topic.h"
#include "fleet_time.h"
#include "pubsub/loop_hub.h"
#include "streams/client.h"

namespace fanfare::fleet {

class Client;
class Session;

// What a client reads.
struct Told {
  enum class Kind : std::uint8_t { joined, event, missed, text, closed };
  Kind kind = Kind::text;
  Position at = {};                   // joined, event
  bool recovered = true;              // joined
  std::optional<Missed> missed = {};  // joined, missed
  std::string text = {};
};

// Both ends of a connection, and what is under way to the client: what was sent and not read yet.
class Wire : public std::enable_shared_from_this<Wire> {
 public:
  Wire(std::uint64_t number, ProcessPtr process, Client& client)
      : number_(number), process_(std::move(process)), client_(&client) {}

  std::uint64_t number() const { return number_; }
  // The instance's end:
  void tell(Told told);
  // After what was sent.
  void close(int code);
  bool is_open() const { return is_open_ && process_->is_alive; }
  bool is_congested() const { return sent_.size() >= kRoom; }
  std::size_t size() const { return sent_.size(); }
  UniqueFunction<void()> drained;  // there is room again
  UniqueFunction<void()> gone;     // the client has left, or its network has
  // The process has ended, and what was sent is lost, all or a part.
  void abandon();
  // The client's end: nothing is read any more.
  void cut(bool is_noticed_at_once);

  static constexpr std::size_t kRoom = 16;
  static constexpr std::size_t kSentMax = 400;  // beyond, a client is too slow

 private:
  void plan_read();
  void read();

  const std::uint64_t number_;
  const ProcessPtr process_;
  Client* client_;  // null: its end is cut
  std::deque<Told> sent_;
  bool is_open_ = true;
  bool is_planned_ = false;
};

// The instance's end, on its loop.
class Session {
 public:
  explicit Session(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  virtual void begin() = 0;
  virtual void drained() = 0;
  virtual void receive(const std::string& /*message*/) {}
  Wire& wire() const { return *wire_; }

 private:
  const std::shared_ptr<Wire> wire_;
};

// What a program does for a session of a hub topic (session/hub_sessions).
struct WithList {
  pubsub::WaitingList list;
};
class TopicSession final : public Session, private WithList, private pubsub::HubSubscriber {
 public:
  TopicSession(std::shared_ptr<Wire> wire, pubsub::LoopHub& hub, std::shared_ptr<pubsub::Topic> topic,
               std::optional<Position> since);
  void begin() override;
  void drained() override;

 private:
  bool is_open() const override { return wire().is_open(); }
  bool is_congested() const override { return wire().is_congested(); }
  bool send(const SharedBytes& frame) override;
  bool has_room_behind(std::size_t bytes) override;
  void on_ready() override { drained_later(); }
  std::string_view topic_name() const override { return topic()->name; }
  void on_notice(TopicNotice /*notice*/) override {}
  void tell_missed(const Missed& missed) override;
  void drained_later();

  pubsub::LoopHub& hub_;
  const std::shared_ptr<pubsub::Topic> joined_;
  std::optional<Position> since_;
};

class StreamSession final : public Session, private streams::ClientPort {
 public:
  StreamSession(std::shared_ptr<Wire> wire, streams::LoopStreams& loop, std::string first_message);
  void begin() override { receive(first_message_); }
  void drained() override { client_.send_waiting(); }
  void receive(const std::string& message) override { client_.receive(true, message); }

 private:
  bool is_open() const override { return wire().is_open(); }
  bool is_congested() const override { return wire().is_congested(); }
  void send(std::string_view json) override;
  bool send_shared(const SharedBytes& bytes) override;
  bool has_room_behind(std::size_t bytes) override;
  void send_waiting_later() override;
  void close(std::uint16_t code, std::string_view /*reason*/) override { wire().close(code); }

  const std::string first_message_;
  streams::Client client_;
};

}  // namespace fanfare::fleet
