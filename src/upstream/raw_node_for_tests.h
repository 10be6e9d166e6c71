#pragma once
// For this room's tests: a node behind WebSocket that sends bytes, frames or not, and reads only what it is told to.

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "upstream/test_server.h"
#include "ws/handshake.h"

namespace fanfare::upstream::testing {

class RawNode {
 public:
  // After the handshake, on the connection's own thread; the connection ends with it.
  using Act = std::function<void(Peer&, const Request&)>;

  explicit RawNode(Act act)
      : server_([act = std::move(act)](Peer& peer, const Request& request) {
          constexpr std::string_view kField = "Sec-WebSocket-Key: ";
          const std::size_t at = request.head.find(kField) + kField.size();
          const std::string key = request.head.substr(at, request.head.find("\r\n", at) - at);
          peer.send(
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: " +
              ws::accept_key_for(key) + "\r\n\r\n");
          act(peer, request);
          peer.close();
        }) {}

  // "host:port"
  std::string address() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  int connections() const { return server_.connections(); }

 private:
  TestServer server_;
};

// Unmasked, as a server sends it; at most 125 bytes.
inline std::string short_frame(std::uint8_t first_byte, std::string_view payload) {
  return std::string{static_cast<char>(first_byte), static_cast<char>(payload.size())} + std::string(payload);
}
inline constexpr std::uint8_t kPing = 0x89;
inline constexpr std::uint8_t kPong = 0x8A;
inline constexpr std::size_t kControlBytes = 125;
// What an answer to such a ping has on the wire: two bytes of header, four of the mask.
inline constexpr std::size_t kPongBytes = 2 + 4 + kControlBytes;

}  // namespace fanfare::upstream::testing
