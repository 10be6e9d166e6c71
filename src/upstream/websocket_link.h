#pragma once
// One WebSocket to a node that comes back by itself, on a loop and a thread of its own. What happens on it is
// told on the executor's thread, in order.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "upstream/executor.h"

namespace fanfare::upstream {

struct LinkOptions {
  std::string url;  // ws:// or wss://
  std::vector<std::pair<std::string, std::string>> headers;
  Duration connect_timeout = std::chrono::seconds(5);
  std::size_t message_bytes_max = std::size_t{64} << 20;
  // A node that is silent for so long after a ping is given up: the TCP connection may stand for hours.
  Duration ping_interval = std::chrono::seconds(10);
  Duration pong_timeout = std::chrono::seconds(10);
  Duration backoff_min = std::chrono::milliseconds(250);
  Duration backoff_max = std::chrono::seconds(10);
  std::string ca_file;  // empty: the system's
};

// On the executor's thread.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void link_opened() = 0;
  virtual void link_received(std::string_view text) = 0;
  // An open link ended, or an attempt to open one failed; it will be tried again. `why` may hold what the
  // peer said.
  virtual void link_lost(std::string why) = 0;
};

class WebSocketLink {
 public:
  // Begins to connect. The handler outlives the link and is not called from inside these functions.
  WebSocketLink(Executor& executor, LinkOptions options, LinkHandler& handler);
  // On the executor's thread; the handler is not called any more.
  ~WebSocketLink();
  WebSocketLink(const WebSocketLink&) = delete;
  WebSocketLink& operator=(const WebSocketLink&) = delete;

  // `connection`: which one it is for, counted by link_opened() from 1. What is sent while that one is not
  // open is gone: link_lost() has told or will tell so. It never leaves on a later connection, behind which
  // there may be another node.
  void send(std::string text, std::uint64_t connection);

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace fanfare::upstream
