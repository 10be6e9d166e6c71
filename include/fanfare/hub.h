#pragma once
// Named topics whose events are numbered and kept for a while, so that a client that comes back goes on where
// it stopped (docs/hub.md). For topics without memory, Server::publish() and Session::subscribe(name) are
// enough.
//
//   fanfare::Server server({.port = 9001});
//   fanfare::Hub hub(server);
//   const auto prices = *hub.add_topic("prices", {.history = {.messages_max = 1000}});
//   server.websocket("/", {.open = [&](fanfare::Session& session) { session.subscribe(prices); }});
//   ...
//   prices.publish("{\"btc\": 1}");   // any thread; says whether it was taken
//
// Threads: any, unless said otherwise. Handles are copied freely and may outlive the server: they refuse
// then.

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

namespace pubsub {
class Topic;
}  // namespace pubsub

struct HubTopicOptions {
  HistoryLimits history = {};  // the default keeps nothing
  TopicPolicy policy = {};     // of subscribers that read too slowly
  TopicLimits limits = {};
  // Members are counted: who joins names itself (JoinOptions::member).
  bool presence = false;
  // Changes of presence are told together, at most this often. More than zero.
  std::chrono::milliseconds presence_interval = std::chrono::seconds(1);
  // The message of an event, for all subscribers: called once an event, on the topic's home loop, in the
  // order of the events. Must not block. Left out: the payload as it was published; clients then count from
  // Joined::position.
  std::function<Frame(Position position, std::string_view payload)> encode = {};
  // The payload of the event that says who came and went. Called on the home loop. Left out, or an empty
  // result: no such event; HubTopic::members() is right all the same.
  std::function<std::string(const PresenceChange& change)> describe_presence = {};
};

// Where an accepted event stands; empty when it never got a position, because the server stopped or memory
// ran out, or the topic was removed. Called exactly once for each accepted event and never for a refused one:
// on the topic's home loop, or, when the server stops, where what waits is destroyed.
using PublishReceipt = UniqueFunction<void(std::optional<Position> position)>;

// A topic of a hub. A handle without one (made by the default constructor, or not found) refuses everything.
class FANFARE_EXPORT HubTopic {
 public:
  HubTopic() = default;
  explicit operator bool() const { return topic_ != nullptr; }

  // The bytes are copied before it returns. What one thread publishes keeps its order. Text has to be UTF-8.
  // With HubTopicOptions::encode both kinds are the payload that it gets.
  PublishResult publish(std::string_view text, PublishReceipt receipt = {}) const;
  PublishResult publish(Bytes binary, PublishReceipt receipt = {}) const;
  // Subscribers get what was accepted before, and then WebSocket::notice with `removed`. False: it was
  // removed before.
  bool remove() const;

  const std::string& name() const;  // "" without a topic
  TopicMetrics metrics() const;
  std::uint64_t refused(PublishResult reason) const;
  // Who is in, sorted, as of the latest change that was told. Never null.
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
  // Before Server::start(), once a server: anything else ends the process with a message. The hub is the
  // server's own; this object is a handle and may go before or after it.
  explicit Hub(Server& server, HubOptions options = {});

  // Before or after start(). bad_option: the name (1 to 1024 bytes) is taken or not usable, an option is, or
  // there are HubOptions::topics_max.
  [[nodiscard]] Expected<HubTopic, Error> add_topic(std::string name, HubTopicOptions options = {}) const;
  // Empty when there is none.
  HubTopic find(std::string_view name) const;
  std::size_t topic_count() const;
  // Over all topics: accepted, and not yet with every loop.
  std::size_t pending_messages() const;
  std::size_t pending_bytes() const;

 private:
  std::shared_ptr<api::ServerImpl> impl_;
};

// "EPOCH-OFFSET", as clients may keep it and send it back.
FANFARE_EXPORT std::string to_text(Position position);
// Empty: it is no such text.
FANFARE_EXPORT std::optional<Position> parse_position(std::string_view text);

}  // namespace fanfare
