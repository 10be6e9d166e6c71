#pragma once
// A server on one loop with a manual clock, and raw bytes on the other side of real sockets.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "session/http_connection.h"
#include "session/loop_server.h"
#include "session/one_loop_for_tests.h"

namespace fanfare::session {
// Echoes; the messages "pause", "close" and "big" trigger those actions.
class EchoEndpoint final : public Endpoint {
 public:
  using Endpoint::Endpoint;
  std::vector<std::string> events;
  std::function<void(Session&, std::string_view)> when_message;
  Session* last = nullptr;

 private:
  void on_open(Session& session) override {
    events.emplace_back("open");
    last = &session;
  }
  void on_message(Session& session, const Message& message) override {
    if (when_message) return when_message(session, as_text(message.payload));
    session.send(message.opcode, message.payload);
  }
  void on_drained(Session&) override { events.emplace_back("drained"); }
  void on_pong(Session&, Bytes payload) override {
    events.push_back("pong " + std::string(as_text(payload)));
  }
  void on_close(Session&, const CloseInfo& info) override {
    events.push_back("close " + std::string(name_of(info.cause)) + " " + std::to_string(info.code) + " " +
                     std::string(info.reason));
    last = nullptr;
  }
};

class TestHttpService final : public HttpService {
 public:
  explicit TestHttpService(EchoEndpoint& endpoint) : endpoint_(endpoint) {}
  SessionId waiting;  // the request for /later
  ws::UpgradePolicy policy;
  std::function<void(HttpConnection&)> when_request;

  void on_request(HttpConnection& session, const http::Request& request) override {
    if (when_request) when_request(session);
    if (request.path == "/later") {
      waiting = session.id();
      return;
    }
    session.respond({.body = std::string(request.method) + " " + std::string(request.path) + " " +
                             std::string(as_text(request.body)),
                     .headers = {}});
  }
  UpgradeDecision on_upgrade(HttpConnection&, const http::Request& request) override {
    if (request.path == "/no") return HttpResponse{.status = 403, .body = "not here\n", .headers = {}};
    return Acceptance{.endpoint = &endpoint_, .policy = &policy, .data = nullptr};
  }

 private:
  EchoEndpoint& endpoint_;
};

inline constexpr std::string_view kUpgrade =
    "GET /chat HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// A masked client frame with mask 0, so the payload is readable.
inline std::string client_frame(std::uint8_t first, std::string_view payload) {
  std::string frame{static_cast<char>(first)};
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(payload.size() >> 8);
    frame += static_cast<char>(payload.size() & 0xff);
  }
  return frame + std::string(4, '\0') + std::string(payload);
}

class LoopServerTest : public OneLoopTest {
 protected:
  LoopServerTest() {
    settings_.outbox_bytes_max = 1 << 20;
    settings_.outbox_bytes_high = 1 << 18;
  }

  void start(LoopServerOptions options = {}) {
    options.sweep_interval = 100ms;
    server_ = std::make_unique<LoopServer>(*loop_, options);
  }

  // Returns the peer of a connection that the server serves.
  net::Descriptor connect() {
    if (server_ == nullptr) start();
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), service_);
    return net::Descriptor(ends[1]);
  }

  net::Descriptor open_websocket() {
    net::Descriptor peer = connect();
    write(peer, kUpgrade);
    EXPECT_NE(read_until(peer, "\r\n\r\n").find("101 Switching Protocols"), std::string::npos);
    return peer;
  }

  SessionSettings settings_;
  EchoEndpoint endpoint_{settings_};
  TestHttpService service_{endpoint_};
  std::unique_ptr<LoopServer> server_;
};

}  // namespace fanfare::session
