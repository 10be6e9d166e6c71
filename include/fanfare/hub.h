#pragma once
// Named topics whose events are numbered and kept for a while, so that a client that reconnects can continue
// where it stopped (docs/hub.md). For topics without history, Server::publish() and Session::subscribe(name)
// are enough.
//
//   fanfare::Server server({.port = 9001});
//   fanfare::Hub hub(server);
//   const auto prices = *hub.add_topic("prices", {.history = {.messages_max = 1000}});
//   server.websocket("/", {.open = [&](fanfare::Session& session) { session.subscribe(prices); }});
//   ...
//   prices.publish("{\"btc\": 1}");   // any thread; says whether it was taken
//
// Threads: any, unless stated otherwise. Handles can be copied freely and may outlive the server; their calls
// are then rejected.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/server.h"
#include "fanfare/session.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"

namespace fanfare {

class Relay;
class Store;
namespace pubsub {
class Topic;
}  // namespace pubsub

struct HubTopicOptions {
  HistoryLimits history = {};  // by default nothing is kept
  TopicPolicy policy = {};     // for subscribers that read too slowly
  TopicLimits limits = {};
  // What is kept on disk, in the hub's store (fanfare/store.h): subscribers with a position get from there what
  // `history` no longer has. By default nothing is. Events then reach subscribers after they were written, and
  // `encode` builds the message that is written.
  HistoryLimits stored = {};
  // The events go to all instances of the program, through the hub's relay (fanfare/relay.h). Needs `encode`: the
  // payload is what travels, and each instance builds its own message. Not with `stored`; with `presence` if the relay
  // is that of fanfare/nats.h.
  bool relayed = false;
  WhenRelayDown when_relay_down = WhenRelayDown::refuse;  // of a relayed topic
  // Members are counted: each subscriber gives a member name (JoinOptions::member). Those of a relayed topic are counted over
  // all instances (docs/relay.md).
  bool presence = false;
  // Presence changes are reported together, at most once per interval. More than zero.
  std::chrono::milliseconds presence_interval = std::chrono::seconds(1);
  // Builds the message of an event for all subscribers. Called once per event, on the topic's home loop, in
  // event order. Must not block. If it throws, the event has no position (TopicMetrics::failed); that of a relayed
  // topic is lost on this instance. Older events of a relayed topic may be built again, on a subscriber's loop. Not set: the message is the published payload; clients then count from
  // Joined::position.
  std::function<Frame(Position position, std::string_view payload)> encode = {};
  // Builds the payload of the event that reports a presence change. Called on the home loop; of a relayed topic on a thread
  // of the relay, on the instance that publishes the event, and again on another one if that instance ends meanwhile. Not set,
  // or an empty result: no such event; HubTopic::members() is correct all the same.
  std::function<std::string(const PresenceChange& change)> describe_presence = {};
};

// The position of an accepted event. Empty if it was never assigned one, because the server stopped, memory
// ran out, or the topic was removed. Called exactly once for each accepted event and never for a rejected one.
// It runs on the topic's home loop, for a relayed topic on a thread of the relay, or, when the server stops, where the
// waiting events are destroyed. An exception from it is logged.
using PublishReceipt = UniqueFunction<void(std::optional<Position> position)>;

// A topic of a hub. A handle without a topic (default-constructed, or not found) rejects every call.
class FANFARE_EXPORT HubTopic {
 public:
  HubTopic() = default;
  explicit operator bool() const { return topic_ != nullptr; }

  // The bytes are copied before it returns. Events of one thread keep their order. Text must be UTF-8. With
  // HubTopicOptions::encode, both kinds are only its payload.
  PublishResult publish(std::string_view text, PublishReceipt receipt = {}) const;
  PublishResult publish(Bytes binary, PublishReceipt receipt = {}) const;
  // Subscribers get the events accepted before, and then WebSocket::notice with `removed`. False: it was
  // already removed.
  bool remove() const;

  const std::string& name() const;  // "" without a topic
  TopicMetrics metrics() const;
  std::uint64_t refused(PublishResult reason) const;
  // The members, sorted, as of the latest reported change. Of a relayed topic those of all instances, while sessions of this
  // one are members and for 30 s afterwards; then none. Never null.
  std::shared_ptr<const std::vector<std::string>> members() const;

 private:
  friend class Hub;
  friend class Session;
  PublishResult offer(Bytes payload, bool is_text, PublishReceipt receipt) const;

  std::shared_ptr<pubsub::Topic> topic_;
  std::weak_ptr<api::ServerImpl> impl_;
};

// The hub of one server.
class FANFARE_EXPORT Hub {
 public:
  // Call before Server::start(), once per server; otherwise the process ends with a message. The hub belongs
  // to the server; this object is a handle and may be destroyed before or after it.
  explicit Hub(Server& server, HubOptions options = {});

  // The store of this hub's topics. Call before Server::start() and before add_topic() with
  // HubTopicOptions::stored, at most once; otherwise the process ends with a message.
  void set_store(const Store& store) const;

  // The relay of this hub's topics, which is kept until the server is destroyed. Not null. Call before Server::start()
  // and before add_topic() with HubTopicOptions::relayed, at most once; otherwise the process ends with a message.
  void set_relay(std::shared_ptr<Relay> relay) const;

  // Before or after start(). bad_option: the name (1 to 1024 bytes) is in use or invalid, an option is
  // invalid, or HubOptions::topics_max is reached. With HubTopicOptions::stored it reads the disk before it
  // returns. If the disk fails then, the topic is added all the same, and goes on in memory.
  [[nodiscard]] Expected<HubTopic, Error> add_topic(std::string name, HubTopicOptions options = {}) const;
  // Empty if there is none.
  HubTopic find(std::string_view name) const;
  std::size_t topic_count() const;
  // Over all topics: events that are accepted and have not reached every loop yet.
  std::size_t pending_messages() const;
  std::size_t pending_bytes() const;

 private:
  std::shared_ptr<api::ServerImpl> impl_;
};

// "EPOCH-OFFSET", a text that clients can keep and send back.
FANFARE_EXPORT std::string to_text(Position position);
// Empty: the text is not a position.
FANFARE_EXPORT std::optional<Position> parse_position(std::string_view text);

}  // namespace fanfare
