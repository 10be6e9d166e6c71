#pragma once
// Fixtures for client tests: one loop with a manual clock, our own server on it, raw servers that misbehave,
// and a diary of the client's events.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/client.h"
#include "session/http_connection.h"
#include "session/loop_server.h"
#include "session/one_loop_for_tests.h"
#include "ws/handshake.h"

namespace fanfare::session {

// Echoes messages, unless a test sets another behaviour.
class EchoServerEndpoint final : public Endpoint {
 public:
  using Endpoint::Endpoint;
  std::vector<Session*> open;
  std::vector<std::string> closes;
  std::function<void(Session&)> when_open;

 private:
  void on_open(Session& session) override {
    open.push_back(&session);
    if (when_open) when_open(session);
  }
  void on_message(Session& session, const Message& message) override {
    session.send(message.opcode, message.payload);
  }
  void on_close(Session& session, const CloseInfo& info) override {
    std::erase(open, &session);
    closes.push_back(std::string(name_of(info.cause)) + " " + std::to_string(info.code) + " " +
                     std::string(info.reason));
  }
};

// Accepts every upgrade except on paths that name a status: /401 is rejected with 401.
class EchoHttpService final : public HttpService {
 public:
  explicit EchoHttpService(Endpoint& endpoint) : endpoint_(endpoint) {}
  ws::UpgradePolicy policy;
  std::vector<std::string> targets;
  std::vector<ws::OwnedHeader> headers;  // of the last upgrade

  void on_request(HttpConnection& session, const http::Request&) override {
    session.respond({.status = 404, .headers = {}});
  }
  UpgradeDecision on_upgrade(HttpConnection&, const http::Request& request) override {
    targets.emplace_back(request.target);
    headers.clear();
    for (const HeaderField& field : request.headers) {
      headers.push_back({.name = std::string(field.name), .value = std::string(field.value)});
    }
    if (request.path.size() == 4 && request.path[1] >= '3' && request.path[1] <= '5') {
      return HttpResponse{.status = std::stoi(std::string(request.path.substr(1))),
                          .body = "you came to " + std::string(request.path) + "\n",
                          .headers = {{.name = "Location", .value = "ws://elsewhere/"}}};
    }
    return Acceptance{.endpoint = &endpoint_, .policy = &policy, .data = nullptr};
  }
  std::string header(std::string_view name) const {
    for (const ws::OwnedHeader& header : headers) {
      if (header.name == name) return header.value;
    }
    return "(none)";
  }

 private:
  Endpoint& endpoint_;
};

// Records the client's events.
class Diary final : public ClientHandler {
 public:
  std::vector<std::string> events;
  std::vector<Duration> waits;
  ClientError error;
  std::function<void(Client&, const std::string&)> when;  // after each event

  const std::string& last() const {
    static const std::string kNothing;
    return events.empty() ? kNothing : events.back();
  }
  bool has(std::string_view event) const { return std::ranges::find(events, event) != events.end(); }

 private:
  void note(Client& client, std::string event) {
    events.push_back(std::move(event));
    const std::string copy = events.back();
    if (when) when(client, copy);
  }
  std::string retry(std::optional<Duration> reconnect_in) {
    if (!reconnect_in) return " end";
    waits.push_back(*reconnect_in);
    return " retry";
  }
  void on_open(Client& client, const ClientOpened& opened) override {
    std::string event = opened.is_reconnect ? "reopen" : "open";
    if (!opened.subprotocol.empty()) event += " " + std::string(opened.subprotocol);
    if (opened.deflate) event += " deflate";
    note(client, event);
  }
  void on_message(Client& client, const Message& message) override {
    note(client,
         (message.opcode == ws::Opcode::text ? "text " : "binary ") + std::string(as_text(message.payload)));
  }
  void on_drained(Client& client) override { note(client, "drained"); }
  void on_pong(Client& client, Bytes payload) override {
    note(client, "pong " + std::string(as_text(payload)));
  }
  void on_close(Client& client, const CloseInfo& info, std::optional<Duration> reconnect_in) override {
    note(client, "close " + std::string(name_of(info.cause)) + " " + std::to_string(info.code) + " " +
                     std::string(info.reason) + retry(reconnect_in));
  }
  void on_failed(Client& client, const ClientError& why, std::optional<Duration> reconnect_in) override {
    error = why;
    note(client, "failed " + std::string(name_of(why.failure)) + retry(reconnect_in));
  }
};

// A listening socket owned by the test, and the connections to it.
class RawServer {
 public:
  explicit RawServer(const net::Address& address = *net::Address::parse("127.0.0.1", 0))
      : listening_(std::move(net::listen_on(address).value())) {}

  std::uint16_t port() const { return net::local_address(listening_.get())->port(); }
  // Returns an invalid descriptor if nothing has connected yet.
  net::Descriptor accept() const {
    return net::Descriptor(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  }

 private:
  net::Descriptor listening_;
};

class ClientTest : public OneLoopTest {
 protected:
  ClientTest() {
    options_.deflate.enabled = false;
    options_.reconnect.backoff.jitter = false;
  }
  ~ClientTest() override {
    client_.reset();
    server_.reset();
  }

  // Starts our own server at this address, and points options_.url to it.
  void serve(const net::Address& address = *net::Address::parse("127.0.0.1", 0)) {
    LoopServerOptions options;
    options.sweep_interval = 100ms;
    server_ = std::make_unique<LoopServer>(*loop_, options);
    auto listening = net::listen_on(address).value();
    const net::Address bound = *net::local_address(listening.get());
    server_->listen(std::move(listening), service_);
    if (address.family() == AF_UNIX) {
      options_.url = "ws+unix:" + address.host() + ":/";
    } else {
      options_.url = "ws://" + bound.text() + "/";
    }
  }
  Client& connect() {
    client_ = std::make_unique<Client>(clients_, options_, diary_, &random_);
    client_->connect();
    return *client_;
  }
  // Returns a client connected to our own server.
  Client& open() {
    if (server_ == nullptr) serve();
    connect();
    EXPECT_TRUE(run_until([&] { return diary_.last().starts_with("open"); })) << diary_.error.text;
    return *client_;
  }
  // Connects to a raw server that has answered the handshake.
  net::Descriptor open_raw(const RawServer& raw, std::string_view more = {}) {
    if (options_.url.empty()) options_.url = "ws://127.0.0.1:" + std::to_string(raw.port()) + "/";
    connect();
    net::Descriptor peer = accept(raw);
    answer(peer, more);
    EXPECT_TRUE(run_until([&] { return client_->state() == Client::State::open || !diary_.events.empty(); }));
    return peer;
  }
  net::Descriptor accept(const RawServer& raw) {
    net::Descriptor peer;
    EXPECT_TRUE(run_until([&] {
      if (!peer.valid()) peer = raw.accept();
      return peer.valid();
    }));
    return peer;
  }
  // Reads the request and accepts it; `more` follows the response in the same segment.
  std::string answer(const net::Descriptor& peer, std::string_view more = {}) {
    std::string request = read_until(peer, "\r\n\r\n");
    const std::string_view name = "Sec-WebSocket-Key: ";
    const std::string key = request.substr(request.find(name) + name.size(), 24);
    write(peer,
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: " +
              ws::accept_key_for(key) + "\r\n\r\n" + std::string(more));
    return request;
  }

  std::string read_bytes(const net::Descriptor& peer, std::size_t size) {
    std::string text;
    EXPECT_TRUE(run_until([&] {
      text += read_now(peer);
      return text.size() >= size;
    })) << "waited for "
        << size << " bytes, got " << text.size();
    return text;
  }
  bool wait_for(std::string_view event) {
    const bool came = run_until([&] { return diary_.has(event); });
    EXPECT_TRUE(came) << "waited for " << event << ", last was " << diary_.last() << " " << diary_.error.text;
    return came;
  }
  SeededRandom random_{11};
  SessionSettings server_settings_;
  EchoServerEndpoint endpoint_{server_settings_};
  EchoHttpService service_{endpoint_};
  std::unique_ptr<LoopServer> server_;
  std::function<Resolver::Result(const std::string&, std::uint16_t)> lookup_ = Resolver::system_lookup;
  ClientLoop clients_{*loop_, 50ms,
                      [this](const std::string& host, std::uint16_t port) { return lookup_(host, port); }};
  ClientOptions options_;
  Diary diary_;
  std::unique_ptr<Client> client_;
};

inline std::string loop_kind_name(const testing::TestParamInfo<net::LoopKind>& kind) {
  return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
}

}  // namespace fanfare::session
