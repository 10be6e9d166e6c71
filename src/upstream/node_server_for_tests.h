#pragma once
// For this room's tests: a node behind WebSocket, and a log of events.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "session/http_connection.h"
#include "session/server.h"

namespace fanfare::upstream::testing {

// The node's side, on its own thread: passes every message to `act`.
class NodeServer final : public session::HttpService, public session::Endpoint {
 public:
  using Act = std::function<void(session::Session&, std::string_view)>;
  // `room` is called for a new connection, and for one that has received everything sent.
  using Room = std::function<void(session::Session&)>;
  explicit NodeServer(Act act, net::LoopKind kind = net::LoopKind::automatic, Room room = {})
      : session::Endpoint(settings()), act_(std::move(act)), kind_(kind), room_(std::move(room)) {
    policy_.deflate.enabled = false;  // sizes are the same on the wire
    start(0);
  }
  ~NodeServer() override { stop(); }

  void start(std::uint16_t port) {
    server_ = std::make_unique<session::Server>(
        session::ServerOptions{.loops = 1, .loop = {.kind = kind_}, .loop_server = {}, .accept = {}});
    const auto address = net::Address::parse("127.0.0.1", port);
    const auto started = server_->start(std::vector{*address}, [this](session::LoopServer&, std::size_t) {
      session::Server::HttpServices sites;
      sites.push_back(std::make_unique<Forward>(*this));
      return sites;
    });
    ASSERT_TRUE(started.has_value());
    port_ = server_->addresses().front().port();
  }
  // Drops all connections without a Close frame.
  void stop() { server_.reset(); }
  std::string url() const { return "ws://127.0.0.1:" + std::to_string(port_); }
  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

  static void answer(session::Session& to, std::string_view request, const std::string& result) {
    std::string text;
    jsonrpc::append_result(text, *jsonrpc::member(request, "id"), result);
    to.send_text(text);
  }

 private:
  struct Forward final : session::HttpService {
    explicit Forward(NodeServer& to) : node(to) {}
    void on_request(session::HttpConnection& session, const http::Request& request) override {
      node.on_request(session, request);
    }
    session::UpgradeDecision on_upgrade(session::HttpConnection& session,
                                        const http::Request& request) override {
      return node.on_upgrade(session, request);
    }
    NodeServer& node;
  };
  static const session::SessionSettings& settings() {
    static const session::SessionSettings all;
    return all;
  }

  void on_request(session::HttpConnection& session, const http::Request&) override {
    session.respond({.status = 404, .headers = {}});
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection&, const http::Request&) override {
    return session::Acceptance{.endpoint = this, .policy = &policy_, .data = nullptr};
  }
  void on_open(session::Session& session) override {
    ++connections_;
    if (room_) room_(session);
  }
  void on_drained(session::Session& session) override {
    if (room_) room_(session);
  }
  void on_message(session::Session& session, const session::Message& message) override {
    act_(session, as_text(message.payload));
  }
  void on_close(session::Session&, const session::CloseInfo&) override {}

  Act act_;
  const net::LoopKind kind_;
  const Room room_;
  ws::UpgradePolicy policy_;
  std::unique_ptr<session::Server> server_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
};

// The events that the watcher received, for a test that waits for them.
class Diary {
 public:
  void write(std::string line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  bool has(const std::string& line) {
    const std::scoped_lock lock(mutex_);
    return std::ranges::find(lines_, line) != lines_.end();
  }
  void clear() {
    const std::scoped_lock lock(mutex_);
    lines_.clear();
  }
  bool wait_for(const std::string& line, std::size_t times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      return static_cast<std::size_t>(std::ranges::count(lines_, line)) >= times;
    });
  }

 private:
  std::mutex mutex_;  // guards the lines
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

// Keeps the outbox of a session filled with the results of `next`; on its loop's thread.
class Flood {
 public:
  explicit Flood(std::function<std::string()> next) : next_(std::move(next)) {}

  void operator()(session::Session& session) {
    for (int i = 0; i < kMessagesPerTurn; ++i) {
      const std::string text = next_();
      if (text.empty()) return;
      sent_bytes_ += text.size();
      if (session.send_text(text) != session::SendResult::queued) return;  // on_drained continues
    }
    session.expect_drained();
  }
  std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  static constexpr int kMessagesPerTurn = 1000;
  std::function<std::string()> next_;
  std::atomic<std::uint64_t> sent_bytes_ = 0;
};

}  // namespace fanfare::upstream::testing
