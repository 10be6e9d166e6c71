#pragma once
// Whose call goes to a node next, when more are wanted than may be there at once. No I/O, no clock.
//
//   client A   connection 1   a1 a2 a3 ..      A, B, A, B, ..: clients take turns,
//              connection 2   a9               and so do the connections of one client
//   client B   connection 7   b1
//
// A client without an identity is one by its connection. However many calls a client has waiting, it gets one
// turn in as many as there are clients waiting. It never has more than kShare times as many calls at the node
// as there are free places, so that one client leaves a quarter of the places free for the others. One call
// is always allowed where a place is free.

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
  using CallId = std::uint64_t;  // the caller's, each only once
  enum class Place : std::uint8_t { at_node, waiting, queue_full, client_full };

  explicit CallQueue(CallQueueLimits limits);

  // A new call. `at_node`: it goes to the node now, and ended() is owed. `waiting`: next() returns it later.
  // Otherwise it is refused, and forgotten.
  Place add(CallId id, const Caller& caller);
  // The call whose turn it is, which goes to the node now. Empty: none waits, or none may go.
  std::optional<CallId> next();
  // A call of this caller that went to the node has ended there. Then next() may have more.
  void ended(const Caller& caller);
  // A call that waits is given up. False: it does not wait.
  bool remove(CallId id);

  std::size_t at_node() const { return at_node_; }
  std::size_t waiting() const { return waiting_.size(); }
  // Clients with a call here, for the test that none is remembered for ever.
  std::size_t clients() const { return clients_.size(); }

 private:
  struct Connection {
    std::uint64_t key = 0;
    std::list<CallId> calls;  // never empty
  };
  struct Client {
    std::size_t at_node = 0;
    std::size_t waiting = 0;
    std::list<Connection> connections;  // with calls that wait; the front one has the next turn
  };
  using ClientKey = std::pair<std::string, std::uint64_t>;
  struct Waiting {
    ClientKey client;
    std::uint64_t connection = 0;
  };

  static ClientKey key_of(const Caller& caller);
  bool may_go(const Client& client) const;
  CallId take_from(Client& client);
  void forget_if_idle(const ClientKey& key);

  CallQueueLimits limits_;
  std::map<ClientKey, Client> clients_;
  std::list<ClientKey> turns_;  // of the clients with calls that wait; the front one has the next
  std::map<CallId, Waiting> waiting_;
  std::size_t at_node_ = 0;
};

}  // namespace fanfare::upstream
