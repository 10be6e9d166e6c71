#pragma once
// A server with some loops whose connections the admin API shows, the admin API on a Unix socket, and clients of both.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "admin/api.h"
#include "admin/server.h"
#include "admin/subject.h"
#include "net/socket.h"
#include "server/router.h"
#include "session/server.h"
#include "session/session.h"
#include "session/session_description.h"

namespace fanfare::admin::testing {

using namespace std::chrono_literals;

struct Client {
  net::Descriptor socket;

  explicit Client(const net::Address& to) {
    const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    socket = net::Descriptor(fd);
    EXPECT_EQ(::connect(fd, to.data(), to.size()), 0);
  }
  void send(std::string_view bytes) const {
    ASSERT_EQ(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Reads until `enough` says so, or the end, or ten seconds have passed.
  template <typename Enough>
  std::string read(Enough enough) const {
    std::string text;
    std::array<char, 65536> piece;
    while (!enough(text)) {
      pollfd one{.fd = socket.get(), .events = POLLIN, .revents = 0};
      if (::poll(&one, 1, 10'000) != 1) break;
      const ssize_t got = ::recv(socket.get(), piece.data(), piece.size(), 0);
      if (got <= 0) return text + "EOF";
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
};

struct Reply {
  int status = 0;
  std::string head;
  std::string body;
};

// One request on a connection of its own.
inline Reply request(const net::Address& to, std::string_view method, std::string_view target,
                     std::string_view body = {}, std::string_view headers = {}) {
  const Client client(to);
  std::string text = std::string(method) + " " + std::string(target) +
                     " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  text += headers;
  if (!body.empty()) {
    if (!headers.contains("Content-Type")) text += "Content-Type: application/json\r\n";
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  client.send(text + "\r\n" + std::string(body));
  const std::string all = client.read([](const std::string&) { return false; });
  const std::size_t end = all.find("\r\n\r\n");
  if (end == std::string::npos) return {.head = all, .body = {}};
  Reply reply{.head = all.substr(0, end), .body = all.substr(end + 4)};
  if (reply.body.ends_with("EOF")) reply.body.resize(reply.body.size() - 3);
  reply.status = std::stoi(all.substr(9, 3));
  return reply;
}

// A session that describes itself.
class TestData final : public session::SessionData {
 public:
  explicit TestData(std::string name) : name_(std::move(name)) {}
  void describe(session::SessionDescription& out) const override {
    out.service = "rpc";
    out.place = "main/1";
    out.principal = name_;
    out.subscriptions = 2;
    out.topics = {"newHeads", "logs"};
  }

 private:
  const std::string name_;
};

class TestEndpoint final : public session::Endpoint {
 public:
  using Endpoint::Endpoint;
  void on_message(session::Session& session, const session::Message& message) override {
    session.send(message.opcode, message.payload);
  }
};

// A WebSocket at every path; the path is the identity.
class TestMount final : public server::Mount {
 public:
  explicit TestMount(const session::SessionSettings& settings) : endpoint_(settings) {}
  server::Offer offer(const server::PathPattern::Match&) const override {
    return {.methods = "GET", .has_websocket = true};
  }
  void on_request(session::HttpConnection& session, const server::Target&) override {
    session.respond({.body = "hello\n", .headers = {}});
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection&, const server::Target& target) override {
    return session::Acceptance{.endpoint = &endpoint_,
                               .policy = &policy_,
                               .data = std::make_unique<TestData>(target.match.parameters[0].value)};
  }

 private:
  TestEndpoint endpoint_;
  const ws::UpgradePolicy policy_;
};

// Its networks are those of the test.
class TestSubject final : public Subject {
 public:
  explicit TestSubject(session::Server& server) : server_(server) {}

  session::Server& server() override { return server_; }
  ProcessInfo process() const override {
    return {.version = "1.2.3", .loops = server_.loop_count(), .loop_kind = "test"};
  }
  void networks(UniqueFunction<void(std::vector<NetworkInfo>)> done) override { done({network_}); }
  std::vector<StreamInfo> streams() const override { return {{.name = "peers", .reason = {}}}; }
  std::vector<RoomInfo> rooms() const override { return {{.name = "lobby", .reason = {}}}; }
  std::string configuration() const override { return R"({"summary":[],"settings":{}})"; }
  void set_upstream(std::string_view network, std::string_view upstream, bool enabled, bool forced,
                    UniqueFunction<void(Switched)> done) override {
    if (network != network_.name || upstream != network_.upstreams[0].name) return done(Switched::unknown);
    if (!enabled && !forced) return done(Switched::last_one);
    network_.upstreams[0].enabled = enabled;
    done(Switched::done);
  }
  void set_draining(bool yes) override { draining = yes; }
  void reload(UniqueFunction<void(ReloadInfo)> done) override {
    const std::scoped_lock lock(mutex_);
    if (reloaded_) done(*reloaded_);
  }

  void upgrade(UniqueFunction<void(UpgradeInfo)> done) override {
    const std::scoped_lock lock(mutex_);
    done(upgraded_);
  }
  void set_upgraded(UpgradeInfo result) {
    const std::scoped_lock lock(mutex_);
    upgraded_ = std::move(result);
  }

  std::atomic<bool> draining = false;
  // Empty: nobody answers.
  void set_reloaded(std::optional<ReloadInfo> result) {
    const std::scoped_lock lock(mutex_);
    reloaded_ = std::move(result);
  }

 private:
  std::mutex mutex_;  // guards reloaded_ and upgraded_
  UpgradeInfo upgraded_{.pid = 4711, .problem = {}};
  std::optional<ReloadInfo> reloaded_ =
      ReloadInfo{.applied = true, .changes = {"everything"}, .needs_restart = {}, .errors = {}};
  session::Server& server_;
  NetworkInfo network_{
      .name = "main/1",
      .project = "main",
      .ready = true,
      .reason = {},
      .head_age_s = {},
      .upstreams = {{.name = "node a", .network = "main/1", .url = {}, .reason = {}, .errors_by_kind = {}}}};
};

class AdminServerTest : public ::testing::TestWithParam<net::LoopKind> {
 protected:
  static constexpr std::size_t kLoops = 2;

  AdminServerTest() {
    session::ServerOptions options;
    options.loops = kLoops;
    options.loop.kind = GetParam();
    options.loop_server.keeps_facts = true;
    server_ = std::make_unique<session::Server>(options);
    subject_ = std::make_unique<TestSubject>(*server_);
    api_ = std::make_unique<Api>(*subject_);
    const auto started = server_->start(
        {*net::Address::parse("127.0.0.1", 0)}, [this](session::LoopServer& loop, std::size_t index) {
          auto router =
              std::make_unique<server::Router>(std::make_shared<server::LoopContext>(loop.loop(), index),
                                               server::RouterOptions{.is_draining = &subject_->draining});
          router->mount(*server::PathPattern::parse("/{name}"), std::make_shared<TestMount>(settings_));
          session::Server::HttpServices services;
          services.push_back(std::move(router));
          return services;
        });
    EXPECT_TRUE(started) << started.error().message();
    path_ = std::filesystem::temp_directory_path() /
            ("fanfare-admin-test-" + std::to_string(::getpid()) + ".sock");
    admin_ = std::make_unique<Server>(
        *api_, ServerOptions{.listeners = {{.unix_path = path_, .unix_mode = 0600}, {.host = "127.0.0.1"}},
                             .loop_kind = GetParam()});
    const auto listening = admin_->start();
    EXPECT_TRUE(listening) << listening.error().message;
  }
  ~AdminServerTest() override {
    clients_.clear();
    server_->stop(1001, "", 0s);
    admin_->stop(0s);
  }

  Reply ask(std::string_view method, std::string_view target, std::string_view body = {},
            std::string_view headers = {}) const {
    return request(admin_->addresses()[0], method, target, body, headers);
  }
  const Client& connect(const std::string& name, const std::string& agent) {
    Client& client = *clients_.emplace_back(std::make_unique<Client>(server_->addresses()[0]));
    client.send("GET /" + name +
                " HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "User-Agent: " +
                agent +
                "\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    EXPECT_TRUE(
        client.read([](const std::string& text) { return text.contains("\r\n\r\n"); }).contains("101"));
    return client;
  }
  template <typename Condition>
  static bool wait_for(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  session::SessionSettings settings_;
  std::unique_ptr<session::Server> server_;
  std::unique_ptr<TestSubject> subject_;
  std::unique_ptr<Api> api_;
  std::string path_;
  std::unique_ptr<Server> admin_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace fanfare::admin::testing
