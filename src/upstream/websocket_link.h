#pragma once
// A WebSocket to a node that reconnects by itself, on its own loop and thread. Its events are delivered on
// the executor's thread, in order.
//
//   node --> [ socket ] --> link's thread: taken apart, judged --> inbox (bounded) --> executor's thread
//                ^-- not read while the inbox is full --------------'
//
// A node that sends unrequested messages (node_intake.h) is put aside: its connection is closed, and the next
// one opens after a delay that doubles with every flood.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_budget.h"
#include "base/time.h"
#include "net/loop.h"
#include "upstream/executor.h"
#include "upstream/link_inbox.h"
#include "upstream/node_intake.h"
#include "upstream/websocket_options.h"

namespace fanfare::upstream {

struct LinkOptions {
  std::string url;   // ws:// or wss://
  std::string name;  // for the log
  std::vector<std::pair<std::string, std::string>> headers;
  Duration connect_timeout = WebSocketOptions{}.connect_timeout;
  std::size_t message_bytes_max = WebSocketOptions{}.response_bytes_max;
  std::size_t outbox_bytes_max = WebSocketOptions{}.outbox_bytes_max;
  bool deflate = WebSocketOptions{}.deflate;
  // A node that does not answer a ping for so long is given up: the TCP connection may stay open for hours.
  Duration ping_interval = WebSocketOptions{}.ping_interval;
  Duration pong_timeout = WebSocketOptions{}.pong_timeout;
  Duration backoff_min = std::chrono::milliseconds(250);
  Duration backoff_max = WebSocketOptions{}.reconnect_backoff_max;
  // After a flood, doubled each time. It is reset after a connection that lasted longer than the next delay.
  Duration flood_backoff_min = WebSocketOptions{}.flood_backoff_min;
  Duration flood_backoff_max = WebSocketOptions{}.flood_backoff_max;
  IntakeLimits intake = {};
  InboxLimits inbox = WebSocketOptions{}.inbox;
  // Pays for received data, from the first bytes of a message until it is processed. Without room the
  // connection is closed, and the next one opens as after any other loss. Null: not counted.
  std::shared_ptr<ByteShare> received = {};
  std::string ca_file;  // empty: the system's
  bool only_once = WebSocketOptions{}.only_once;
  net::LoopKind loop_kind = net::LoopKind::automatic;
};

// On the executor's thread.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void link_opened() = 0;
  // An answer to a request, or a notification of a subscription. Borrowed for the call.
  virtual void link_received(const jsonrpc::Answer& message) = 0;
  // An open link ended, or an attempt to open one failed; it will be retried. `why` may contain text from the
  // peer.
  virtual void link_lost(const LinkLost& lost) = 0;
};

// One complete request or notification.
struct LinkMessage {
  std::string text;
  std::uint64_t wire_id = 0;  // of the request; increasing. 0: a notification
  Asked asked = Asked::answer;
};

class WebSocketLink {
 public:
  // Begins to connect. The handler must outlive the link and is not called from within these functions.
  WebSocketLink(Executor& executor, LinkOptions options, LinkHandler& handler);
  // On the executor's thread; the handler is not called any more. Waits for the link's thread, which ends
  // with its current turn, whatever the node does.
  ~WebSocketLink();
  WebSocketLink(const WebSocketLink&) = delete;
  WebSocketLink& operator=(const WebSocketLink&) = delete;

  // `connection`: its number, counted by link_opened() from 1. A message for a connection that is not open is
  // dropped: link_lost() has reported or will report that. It is never sent on a later connection, which may
  // lead to another node.
  void send(LinkMessage message, std::uint64_t connection);
  // Tries a lost connection now instead of after its delay, unless the link was closed on purpose. In every
  // case link_opened() or link_lost() follows if the last call of the handler was link_lost().
  void connect_now();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace fanfare::upstream
