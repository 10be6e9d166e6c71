#pragma once
// Decides which call goes to a node next, when there are more than it may have at once. No I/O, no clock.
//
//   client A   connection 1   a1 a2 a3 ..      A, B, A, B, ..: clients take turns,
//              connection 2   a9               and so do the connections of one client
//   client B   connection 7   b1
//
// A client without an identity is identified by its connection. However many calls a client has waiting, the
// clients with waiting calls take equal turns. A client never has more than kShare times as many calls at the
// node as there are free slots. So one client leaves a quarter of the slots free for the others. One call is
// always allowed while a slot is free.
//
// The same holds for all slow calls together, of all callers: a quarter of the slots stays free for calls
// that are answered soon. So many clients with slow calls cannot delay the fast calls of one more.

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "upstream/backend.h"

namespace fanfare::upstream {

struct CallQueueLimits {
  std::size_t calls_max = 64;      // at the node
  std::size_t waiting_max = 4096;  // of all clients
  std::size_t waiting_per_client_max = 1024;

  friend bool operator==(const CallQueueLimits&, const CallQueueLimits&) = default;
};

class CallQueue {
 public:
  static constexpr std::size_t kShare = 3;
  using CallId = std::uint64_t;  // chosen by the caller, each used only once
  enum class Place : std::uint8_t { at_node, waiting, queue_full, client_full };

  explicit CallQueue(CallQueueLimits limits);

  enum class Pace : std::uint8_t { fast, slow };

  // Adds a call. `at_node`: it goes to the node now, and the caller must call ended() later. `waiting`:
  // next() returns it later. Otherwise it is rejected, and not stored.
  Place add(CallId id, const Caller& caller, Pace pace = Pace::fast);
  // The next call; it goes to the node now. Empty: none waits, or none may go.
  std::optional<CallId> next();
  // A call of this caller has ended at the node. `pace` as given to add(). Afterwards next() may return more.
  void ended(const Caller& caller, Pace pace = Pace::fast);
  // Cancels a waiting call. False: it does not wait.
  bool remove(CallId id);

  std::size_t at_node() const { return at_node_; }
  std::size_t waiting() const { return waiting_.size(); }
  // Clients with calls here, for the test that none is kept for ever.
  std::size_t clients() const { return clients_.size(); }

 private:
  struct Call {
    CallId id = 0;
    Pace pace = Pace::fast;
  };
  struct Connection {
    std::uint64_t key = 0;
    std::list<Call> calls;  // never empty
  };
  struct Client {
    std::size_t at_node = 0;
    std::size_t waiting = 0;
    std::size_t fast_waiting = 0;
    std::list<Connection> connections;  // connections with waiting calls; the front one has the next turn
  };
  using ClientKey = std::pair<std::string, std::uint64_t>;
  struct Waiting {
    ClientKey client;
    std::uint64_t connection = 0;
    Pace pace = Pace::fast;
  };

  static ClientKey key_of(const Caller& caller);
  bool within_share(std::size_t held) const;
  bool may_go(const Client& client, Pace pace) const;
  void went(Client& client, Pace pace);
  void waits_no_more(Client& client, Pace pace);
  std::list<Connection>::iterator next_of(Client& client) const;
  CallId take_from(Client& client, std::list<Connection>::iterator connection);
  void forget_if_idle(const ClientKey& key);

  CallQueueLimits limits_;
  std::map<ClientKey, Client> clients_;
  std::list<ClientKey> turns_;  // clients with waiting calls; the front one has the next turn
  std::map<CallId, Waiting> waiting_;
  std::size_t at_node_ = 0;
  std::size_t slow_at_node_ = 0;
  std::size_t fast_waiting_ = 0;
};

}  // namespace fanfare::upstream
