#pragma once
// One WebSocket to a node that comes back by itself, on a loop and a thread of its own. What happens on it is
// told on the executor's thread, in order.
//
//   node --> [ socket ] --> link's thread: taken apart, judged --> inbox (bounded) --> executor's thread
//                ^-- not read while the inbox is full --------------'
//
// A node that sends what nobody asked for (node_intake.h) is put aside: its connection ends, and the next one
// is made after a wait that doubles with every flood.

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

namespace fanfare::upstream {

struct LinkOptions {
  std::string url;   // ws:// or wss://
  std::string name;  // for the log
  std::vector<std::pair<std::string, std::string>> headers;
  Duration connect_timeout = std::chrono::seconds(5);
  std::size_t message_bytes_max = std::size_t{64} << 20;
  // A node that is silent for so long after a ping is given up: the TCP connection may stand for hours.
  Duration ping_interval = std::chrono::seconds(10);
  Duration pong_timeout = std::chrono::seconds(10);
  Duration backoff_min = std::chrono::milliseconds(250);
  Duration backoff_max = std::chrono::seconds(10);
  // After a flood, doubled each time; the first again after a connection that stood for longer than the next.
  Duration flood_backoff_min = std::chrono::seconds(5);
  Duration flood_backoff_max = std::chrono::minutes(5);
  IntakeLimits intake = {};
  InboxLimits inbox = {};
  // What the node sends counts here, from the first bytes of a message until it is worked off: without room
  // the connection ends, and the next one is made as after any other loss. Null: it counts nowhere.
  std::shared_ptr<ByteShare> received = {};
  std::string ca_file;  // empty: the system's
  net::LoopKind loop_kind = net::LoopKind::automatic;
};

// On the executor's thread.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void link_opened() = 0;
  // An answer to what was sent, or a notification of a subscription that was. Borrowed for the call.
  virtual void link_received(const jsonrpc::Answer& message) = 0;
  // An open link ended, or an attempt to open one failed; it will be tried again. `why` may hold what the
  // peer said.
  virtual void link_lost(const LinkLost& lost) = 0;
};

// One request or notification, whole.
struct LinkMessage {
  std::string text;
  std::uint64_t wire_id = 0;  // of the request; rising. 0: a notification
  Asked asked = Asked::answer;
};

class WebSocketLink {
 public:
  // Begins to connect. The handler outlives the link and is not called from inside these functions.
  WebSocketLink(Executor& executor, LinkOptions options, LinkHandler& handler);
  // On the executor's thread; the handler is not called any more. Waits for the link's thread, which ends
  // with its turn, whatever the node does.
  ~WebSocketLink();
  WebSocketLink(const WebSocketLink&) = delete;
  WebSocketLink& operator=(const WebSocketLink&) = delete;

  // `connection`: which one it is for, counted by link_opened() from 1. What is sent while that one is not
  // open is gone: link_lost() has told or will tell so. It never leaves on a later connection, behind which
  // there may be another node.
  void send(LinkMessage message, std::uint64_t connection);

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace fanfare::upstream
