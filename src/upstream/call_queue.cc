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

bool CallQueue::may_go(const Client& client) const {
  const std::size_t free = limits_.calls_max - at_node_;
  return free > 0 && (client.at_node == 0 || client.at_node < kShare * free);
}

CallQueue::Place CallQueue::add(CallId id, const Caller& caller) {
  const ClientKey key = key_of(caller);
  Client& client = clients_[key];
  // Its own waiting calls go first. Other waiting calls may not go yet, or next() would have returned them.
  if (client.waiting == 0 && may_go(client)) {
    ++client.at_node;
    ++at_node_;
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
  connection->calls.push_back(id);
  waiting_.emplace(id, Waiting{.client = key, .connection = caller.connection});
  return Place::waiting;
}

std::optional<CallQueue::CallId> CallQueue::next() {
  for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
    Client& client = clients_.at(*turn);
    if (!may_go(client)) continue;
    const CallId id = take_from(client);
    if (client.waiting > 0) {
      turns_.splice(turns_.end(), turns_, turn);
    } else {
      turns_.erase(turn);
    }
    return id;
  }
  return std::nullopt;
}

CallQueue::CallId CallQueue::take_from(Client& client) {
  Connection& connection = client.connections.front();
  const CallId id = connection.calls.front();
  connection.calls.pop_front();
  if (connection.calls.empty()) {
    client.connections.pop_front();
  } else {
    client.connections.splice(client.connections.end(), client.connections, client.connections.begin());
  }
  waiting_.erase(id);
  --client.waiting;
  ++client.at_node;
  ++at_node_;
  return id;
}

void CallQueue::ended(const Caller& caller) {
  const ClientKey key = key_of(caller);
  Client& client = clients_.at(key);
  FANFARE_CHECK(client.at_node > 0);
  --client.at_node;
  --at_node_;
  forget_if_idle(key);
}

bool CallQueue::remove(CallId id) {
  const auto node = waiting_.extract(id);
  if (node.empty()) return false;
  const ClientKey& key = node.mapped().client;
  Client& client = clients_.at(key);
  const auto connection = std::ranges::find(client.connections, node.mapped().connection, &Connection::key);
  connection->calls.remove(id);
  if (connection->calls.empty()) client.connections.erase(connection);
  if (--client.waiting == 0) turns_.remove(key);
  forget_if_idle(key);
  return true;
}

void CallQueue::forget_if_idle(const ClientKey& key) {
  const auto client = clients_.find(key);
  if (client->second.at_node == 0 && client->second.waiting == 0) clients_.erase(client);
}

}  // namespace fanfare::upstream
