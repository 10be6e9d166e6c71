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
#include "upstream/link_inbox.h"

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
  // Bytes of requests and pongs that wait until the node reads them. Once so many wait, the next request ends the
  // connection, within 5 s: the calls in flight fail, and the next connection follows as after any other loss. One request
  // may be larger, and of pongs response_bytes_max more may wait, which node_intake.h does not let happen. The process
  // pays: no budget counts what is sent.
  std::size_t outbox_bytes_max = std::size_t{64} << 20;
  bool deflate = true;  // permessage-deflate is offered
  Duration ping_interval = std::chrono::seconds(10);
  Duration pong_timeout = std::chrono::seconds(10);
  // The longest delay between attempts to connect.
  Duration reconnect_backoff_max = std::chrono::seconds(10);
  // How long a flooding node is not used (websocket_link.h).
  Duration flood_backoff_min = std::chrono::seconds(5);
  Duration flood_backoff_max = std::chrono::minutes(5);
  // Pays for received data until it is processed; null: not counted.
  std::shared_ptr<ByteShare> received = {};
  // Received messages that wait for the executor's thread. At either bound reading stops, and the node is held back.
  InboxLimits inbox = {};
  std::string ca_file;  // empty: the system's
  // One connection: it does not reconnect, and nothing about it is logged. Its watcher does both (WebSocketNode::Watcher::lost).
  bool only_once = false;
  net::LoopKind loop_kind = net::LoopKind::automatic;
};

}  // namespace fanfare::upstream
