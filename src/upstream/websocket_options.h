#pragma once
// The options of a node behind WebSocket (websocket_node.h), and the defaults of its link (websocket_link.h).

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_budget.h"
#include "base/time.h"
#include "net/loop.h"

namespace fanfare::upstream {

struct WebSocketOptions {
  std::string url;                                           // ws:// or wss://
  std::string name;                                          // empty: the redacted URL
  std::vector<std::pair<std::string, std::string>> headers;  // of the handshake
  // For one call; a caller's own timeout can only shorten it.
  Duration timeout = std::chrono::seconds(30);
  Duration connect_timeout = std::chrono::seconds(5);
  // Requests without an answer; beyond it a call ends at once with FailureKind::overloaded.
  std::size_t calls_max = 4096;
  std::size_t response_bytes_max = std::size_t{64} << 20;  // a longer message closes the connection
  Duration ping_interval = std::chrono::seconds(10);
  Duration pong_timeout = std::chrono::seconds(10);
  // The longest delay between attempts to connect.
  Duration reconnect_backoff_max = std::chrono::seconds(10);
  // How long a flooding node is not used (websocket_link.h).
  Duration flood_backoff_min = std::chrono::seconds(5);
  Duration flood_backoff_max = std::chrono::minutes(5);
  // Pays for received data until it is processed; null: not counted.
  std::shared_ptr<ByteShare> received = {};
  std::string ca_file;  // empty: the system's
  // One connection: it does not reconnect, and nothing about it is logged. Its watcher does both (WebSocketNode::Watcher::lost).
  bool only_once = false;
  net::LoopKind loop_kind = net::LoopKind::automatic;
};

}  // namespace fanfare::upstream
