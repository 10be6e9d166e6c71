// A server that passes its listening sockets on to another one, as a process does in a binary upgrade.

#include <unistd.h>

#include <filesystem>
#include <future>
#include <optional>

#include "session/loop_server_for_tests.h"
#include "session/server.h"
#include "session/stop_spread.h"

namespace fanfare::session {
namespace {

class PassedListeningTest : public testing::TestWithParam<net::LoopKind> {
 protected:
  PassedListeningTest() {
    addresses_.push_back(*net::Address::parse("127.0.0.1", 0));
    addresses_.push_back(*net::Address::unix_path(path_));
  }

  std::unique_ptr<Server> make(std::size_t loops) {
    return std::make_unique<Server>(ServerOptions{.loops = loops, .loop = {.kind = GetParam()}});
  }
  void start(Server& server, const std::vector<Listener>& listeners) {
    const auto started = server.start(listeners, [this](LoopServer&, std::size_t) {
      Server::HttpServices services;
      for (int i = 0; i < 2; ++i) services.push_back(std::make_unique<TestHttpService>(endpoint_));
      return services;
    });
    ASSERT_TRUE(started) << started.error().message();
    addresses_ = server.addresses();
  }
  std::unique_ptr<Server> serve(std::size_t loops) {
    auto server = make(loops);
    start(*server, {{.address = addresses_[0], .options = {}}, {.address = addresses_[1], .options = {}}});
    return server;
  }
  // The listeners of another server on these sockets.
  std::vector<Listener> listeners_of(const std::vector<Server::Passed>& passed) {
    std::vector<Listener> listeners(2, Listener{.address = {}, .options = {}, .is_ours = true});
    for (const Server::Passed& one : passed) {
      if (one.is_repeated) continue;
      Listener& to = listeners[one.listener];
      if (to.inherited_fd) {
        to.more_fds.push_back(one.socket.get());
      } else {
        to.inherited_fd = one.socket.get();
      }
    }
    return listeners;
  }

  static net::Descriptor dial(const net::Address& address) {
    net::Descriptor peer(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(peer.get(), address.data(), address.size()), 0) << address.text();
    return peer;
  }
  static void send(const net::Descriptor& peer, std::string_view text) {
    EXPECT_EQ(::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  static std::string read_to_end(const net::Descriptor& peer) {
    std::string text;
    std::array<char, 4096> piece;
    for (ssize_t got = 0; (got = ::recv(peer.get(), piece.data(), piece.size(), 0)) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
  static constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  std::vector<net::Descriptor> ask(int count) {
    std::vector<net::Descriptor> asked;
    for (int i = 0; i < count; ++i) {
      for (const net::Address& address : addresses_) {
        asked.push_back(dial(address));
        send(asked.back(), kGet);
      }
    }
    return asked;
  }
  static void expect_answers(const std::vector<net::Descriptor>& asked) {
    for (const net::Descriptor& peer : asked) {
      EXPECT_TRUE(read_to_end(peer).starts_with("HTTP/1.1 200 "));
    }
  }

  const std::string path_ =
      (std::filesystem::temp_directory_path() / ("fanfare-passed-" + std::to_string(::getpid()))).string();
  std::vector<net::Address> addresses_;
  SessionSettings settings_;
  EchoEndpoint endpoint_{settings_};
};

TEST_P(PassedListeningTest, WhoConnectsMeanwhileIsServedByTheNextServer) {
  for (const std::size_t loops_of_next : {1U, 2U, 5U}) {
    addresses_[0] = *net::Address::parse("127.0.0.1", 0);
    auto server = serve(3);
    const net::Address address = addresses_[0];
    auto passed = server->copy_sockets();
    ASSERT_TRUE(passed) << passed.error().message();
    EXPECT_EQ(passed->size(), 6U);
    EXPECT_EQ(std::ranges::count(*passed, true, &Server::Passed::is_repeated), 2);  // one Unix socket
    auto next = make(loops_of_next);
    next->accept_later();
    start(*next, listeners_of(*passed));
    EXPECT_EQ(addresses_[0].text(), address.text());
    expect_answers(ask(6));
    EXPECT_EQ(next->gate().connections(), 0U);
    EXPECT_TRUE(server->stop_accepting());
    const auto asked = ask(6);  // so many that each of the three queues has some
    next->begin_accepting();
    passed->clear();
    server->give_up_paths();
    expect_answers(asked);
    EXPECT_EQ(server->stop(1012, "", std::chrono::seconds(20)), 0U);
    EXPECT_EQ(::access(path_.c_str(), F_OK), 0);
    expect_answers(ask(6));
    next->stop(1012, "", std::chrono::seconds(20));
    EXPECT_NE(::access(path_.c_str(), F_OK), 0);
  }
}

TEST_P(PassedListeningTest, ANextServerThatFailsLeavesThePath) {
  const auto server = serve(1);
  const auto passed = server->copy_sockets();
  ASSERT_TRUE(passed) << passed.error().message();
  const auto next = make(1);
  next->accept_later();
  start(*next, listeners_of(*passed));
  next->stop(1012, "", Duration::zero());
  expect_answers(ask(2));
}

TEST_P(PassedListeningTest, AServerThatNobodyReplacesAcceptsAgain) {
  const auto server = serve(2);
  for (int i = 0; i < 3; ++i) {
    auto passed = server->copy_sockets();
    ASSERT_TRUE(passed) << passed.error().message();
    ASSERT_EQ(passed->size(), 4U);
    EXPECT_TRUE(server->stop_accepting());
    const auto asked = ask(4);
    server->accept_again(*std::move(passed));
    expect_answers(asked);
    expect_answers(ask(4));
  }
  EXPECT_EQ(server->stop(1012, "", std::chrono::seconds(20)), 0U);
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST_P(PassedListeningTest, AStuckLoopIsNotWaitedForForever) {
  const auto server = serve(1);
  const auto until = std::make_shared<std::promise<void>>();
  server->post(0, [until](LoopServer&) { until->get_future().wait(); });
  const auto failed = server->copy_sockets(std::chrono::milliseconds(1));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(), "answer of loop 0: Connection timed out");
  EXPECT_FALSE(server->stop_accepting(std::chrono::milliseconds(1)));
  until->set_value();
  const auto passed = server->copy_sockets();
  EXPECT_TRUE(passed) << passed.error().message();
}

// What a client has begun to send is answered by the process that it has reached.
TEST_P(PassedListeningTest, AStopOverTimeWaitsForRequestsThatArrive) {
  const auto server = serve(1);
  const net::Descriptor peer = dial(addresses_[0]);
  send(peer, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  std::array<char, 25> go_on;
  ASSERT_EQ(::recv(peer.get(), go_on.data(), go_on.size(), MSG_WAITALL), 25);
  EXPECT_EQ(std::string_view(go_on.data(), go_on.size()), "HTTP/1.1 100 Continue\r\n\r\n");
  std::promise<void> done;
  auto is_done = done.get_future();
  StopSpread::start(*server, 1012, "", Duration::zero(), [&] { done.set_value(); });
  const auto stopped = server->copy_sockets();  // it has begun
  EXPECT_TRUE(stopped && stopped->empty());
  EXPECT_EQ(is_done.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  send(peer, "body");
  const std::string answer = read_to_end(peer);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
  is_done.wait();
}

INSTANTIATE_TEST_SUITE_P(Kinds, PassedListeningTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

class AtWorkTest : public LoopServerTest {};

TEST_P(AtWorkTest, AFirstRequestIsAwaitedForAMoment) {
  const net::Descriptor peer = connect();
  const Member* member = nullptr;
  server_->sessions().for_each_member([&](const Member& one) { member = &one; });
  ASSERT_NE(member, nullptr);
  const std::uint32_t now = server_->sessions().now_ms();
  EXPECT_TRUE(member->is_at_work(now + 499));
  EXPECT_FALSE(member->is_at_work(now + 500));
  write(peer, "GET /a HTTP/1.1\r\nHost: here\r\n\r\n");
  read_until(peer, "GET /a");
  EXPECT_FALSE(member->is_at_work(now));
  write(peer, "GET /later HTTP/1.1\r\nHost: here\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return service_.waiting != SessionId{}; }));
  EXPECT_TRUE(member->is_at_work(now + 60'000));
}

INSTANTIATE_TEST_SUITE_P(Kinds, AtWorkTest, testing::Values(net::LoopKind::epoll));

}  // namespace
}  // namespace fanfare::session
