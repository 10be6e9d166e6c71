#pragma once
// The connection to the broker: messages out, and everything that comes to its inbox. The only files that
// know the NATS library are link.cc, link_options.cc, link_look.cc, jet_stream.cc, record_stream.cc, bucket.cc and presence/nats_broker.cc.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shared_bytes.h"
#include "base/time.h"
#include "fanfare/nats.h"
#include "relay/link_problem.h"

namespace fanfare::relay {

// A subscription, until it is destroyed. A message of before may still be reported for a moment.
using Subscribed = std::unique_ptr<void, void (*)(void*)>;

// Incoming::status: nobody has the subject, or its leader is away.
inline constexpr int kNoResponders = 503;

// A message to the inbox, or to a subscription.
struct Incoming {
  std::string to;       // what follows the inbox's prefix; empty: it is a stream's message to a consumer
  std::string subject;  // of a message of a stream: the one it was published with
  std::string reply;
  SharedBytes payload;
  int status = 0;                   // of a message of the broker itself: 100, 503, ...; zero: it is none
  bool is_flow_control = false;     // the broker waits for an answer to `reply`
  std::uint64_t last_consumer = 0;  // of a sign of life
  std::string stalled;              // of one: the broker waits for an answer to this subject
  std::uint64_t sequence = 0;       // of a stored message that was asked for; `subject` is its own then
};

struct LinkEvents {
  // Called on threads of the library, one at a time each. May block: the library then keeps what comes, up to its limits.
  std::function<void(Incoming)> on_message;
  std::function<void(bool is_connected)> on_connection;
  // An attempt to connect has failed, or the broker does not permit something. The same again with each attempt.
  std::function<void(LinkProblem)> on_problem;
  // The library does not try any more, or look() has ended the connection: connect() does.
  std::function<void()> on_closed;
};

struct Header {
  const char* name;
  std::string value;
};

// Waits for nothing but the write to the socket, for kWriteDeadline at most.
class Link {
 public:
  Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link();

  // Whether open() could begin: reads the files of the options. The error is for people.
  static std::expected<void, std::string> check(const NatsOptions& options);
  // Before connect(). The error is for people: a file cannot be read.
  std::expected<void, std::string> open(const NatsOptions& options, LinkEvents events);
  // One attempt, which may take some seconds; for the first connection, and after on_closed, when the subscriptions of subscribe() have
  // ended. False: on_problem was told. From then on the library reconnects by itself. One thread.
  bool connect();
  // Ends the connection for good. Whoever waits for an answer of the broker waits no longer. Any thread.
  void cut();
  // No event is reported when it returns. Any thread but one that is in an event.
  void close();

  bool is_connected() const;
  // Of the connection over which publish() sends now; grows with each one. The library may have another one before on_connection says so.
  // Any thread.
  std::uint64_t connection_number() const;
  // With a dot at the end; unique. What comes to inbox() + "a.*" and "r.*.*" is always reported.
  const std::string& inbox() const { return inbox_; }
  // To inbox() + `end`. Null: memory ran out. (The broker delivers to a consumer only if exactly its subject is subscribed to, so a
  // pattern for all of them is not enough.)
  Subscribed subscribe(const std::string& end);
  // To a subject that others publish to as well, and that no stream has: what is published there now. `Incoming::subject` says so. Null:
  // memory ran out, or the link is not connected. It ends with the connection (LinkEvents::on_closed).
  Subscribed subscribe_to(const std::string& subject);
  // False: the connection is down. Any thread.
  bool publish(const std::string& subject, const std::string& reply, Bytes payload,
               const std::vector<Header>& headers);
  // The largest payload that the broker takes, as it said when this connection began.
  std::size_t payload_bytes_max() const;
  // Somebody has a larger one. Any thread.
  void want_larger_payloads();
  // Whether the broker has refused a subscription of this connection, or has taken one away. Any thread.
  bool lacks_subscriptions() const;
  // The broker does not tell a connection that it permits again what it has taken away, or takes larger payloads. If one of both is
  // wanted, this asks for it over a connection of its own, now and then (LookPlan). If it has become better, it ends the connection of the link:
  // on_closed follows. Returns why, for the log; else nothing. May take some seconds. The thread of connect().
  std::optional<std::string> look(Instant now);

  struct Parts;  // the library's objects, for jet_stream.cc and bucket.cc
  Parts& parts() { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
  std::string inbox_;
};

}  // namespace fanfare::relay
