#include "upstream/call_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fanfare::upstream {

CallQueue::CallQueue(CallQueueLimits limits) : limits_(limits) {
  FANFARE_CHECK(limits.calls_max > 0);
}

CallQueue::ClientKey CallQueue::key_of(const Caller& caller) {
  return {caller.client, caller.client.empty() ? caller.connection : 0};
}

bool CallQueue::within_share(std::size_t held) const {
  return held == 0 || held < kShare * (limits_.calls_max - at_node_);
}

bool CallQueue::may_go(const Client& client, Pace pace) const {
  return at_node_ < limits_.calls_max && within_share(client.at_node) &&
         (pace == Pace::fast || within_share(slow_at_node_));
}

void CallQueue::went(Client& client, Pace pace) {
  ++client.at_node;
  ++at_node_;
  slow_at_node_ += pace == Pace::slow ? 1 : 0;
}

CallQueue::Place CallQueue::add(CallId id, const Caller& caller, Pace pace) {
  const ClientKey key = key_of(caller);
  Client& client = clients_[key];
  // Its own waiting calls go first, if they may go at all. Other waiting calls may not go yet, or next() would
  // have returned them.
  if (next_of(client) == client.connections.end() && may_go(client, pace)) {
    went(client, pace);
    return Place::at_node;
  }
  const bool client_is_full = client.waiting >= limits_.waiting_per_client_max;
  if (client_is_full || waiting_.size() >= limits_.waiting_max) {
    forget_if_idle(key);
    return client_is_full ? Place::client_full : Place::queue_full;
  }
  if (client.waiting++ == 0) turns_.push_back(key);
  auto connection = std::ranges::find(client.connections, caller.connection, &Connection::key);
  if (connection == client.connections.end()) {
    connection = client.connections.insert(connection, {.key = caller.connection, .calls = {}});
  }
  connection->calls.push_back({.id = id, .pace = pace});
  waiting_.emplace(id, Waiting{.client = key, .connection = caller.connection, .pace = pace});
  client.fast_waiting += pace == Pace::fast ? 1 : 0;
  fast_waiting_ += pace == Pace::fast ? 1 : 0;
  return Place::waiting;
}

std::optional<CallQueue::CallId> CallQueue::next() {
  if (fast_waiting_ == 0 && !within_share(slow_at_node_)) return std::nullopt;  // without a look at each
  for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
    Client& client = clients_.at(*turn);
    const auto connection = next_of(client);
    if (connection == client.connections.end()) continue;
    const CallId id = take_from(client, connection);
    if (client.waiting > 0) {
      turns_.splice(turns_.end(), turns_, turn);
    } else {
      turns_.erase(turn);
    }
    return id;
  }
  return std::nullopt;
}

// The connection with the client's next turn: the first one whose oldest call may go.
std::list<CallQueue::Connection>::iterator CallQueue::next_of(Client& client) const {
  if (client.fast_waiting == 0 && !may_go(client, Pace::slow)) return client.connections.end();
  return std::ranges::find_if(client.connections, [&](const Connection& connection) {
    return may_go(client, connection.calls.front().pace);
  });
}

CallQueue::CallId CallQueue::take_from(Client& client, std::list<Connection>::iterator connection) {
  const Call call = connection->calls.front();
  connection->calls.pop_front();
  if (connection->calls.empty()) {
    client.connections.erase(connection);
  } else {
    client.connections.splice(client.connections.end(), client.connections, connection);
  }
  waiting_.erase(call.id);
  waits_no_more(client, call.pace);
  went(client, call.pace);
  return call.id;
}

void CallQueue::waits_no_more(Client& client, Pace pace) {
  --client.waiting;
  client.fast_waiting -= pace == Pace::fast ? 1 : 0;
  fast_waiting_ -= pace == Pace::fast ? 1 : 0;
}

void CallQueue::ended(const Caller& caller, Pace pace) {
  const ClientKey key = key_of(caller);
  Client& client = clients_.at(key);
  FANFARE_CHECK(client.at_node > 0);
  --client.at_node;
  --at_node_;
  slow_at_node_ -= pace == Pace::slow ? 1 : 0;
  forget_if_idle(key);
}

bool CallQueue::remove(CallId id) {
  const auto node = waiting_.extract(id);
  if (node.empty()) return false;
  const ClientKey& key = node.mapped().client;
  Client& client = clients_.at(key);
  const auto connection = std::ranges::find(client.connections, node.mapped().connection, &Connection::key);
  std::erase_if(connection->calls, [id](const Call& call) { return call.id == id; });
  if (connection->calls.empty()) client.connections.erase(connection);
  waits_no_more(client, node.mapped().pace);
  if (client.waiting == 0) turns_.remove(key);
  forget_if_idle(key);
  return true;
}

void CallQueue::forget_if_idle(const ClientKey& key) {
  const auto client = clients_.find(key);
  if (client->second.at_node == 0 && client->second.waiting == 0) clients_.erase(client);
}

}  // namespace fanfare::upstream
