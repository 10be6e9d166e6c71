// Listeners that come and go while a server runs. Also meant for ThreadSanitizer.

#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "session/loop_server_for_tests.h"
#include "session/server.h"

namespace fanfare::session {
namespace {

constexpr std::string_view kLastGet = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
constexpr std::string_view kKeptGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

// Counts those that are there.
class CountedService final : public HttpService {
 public:
  CountedService(EchoEndpoint& endpoint, std::atomic<int>& count) : endpoint_(endpoint), count_(count) {
    ++count_;
    count_.notify_all();
  }
  ~CountedService() override {
    --count_;
    count_.notify_all();
  }
  void on_request(HttpConnection& connection, const http::Request&) override {
    connection.respond({.body = "GET /a", .headers = {}});
  }
  UpgradeDecision on_upgrade(HttpConnection&, const http::Request&) override {
    return Acceptance{.endpoint = &endpoint_, .policy = &policy_, .data = nullptr};
  }

 private:
  EchoEndpoint& endpoint_;
  std::atomic<int>& count_;
  const ws::UpgradePolicy policy_;
};

class ChangedListenersTest : public testing::TestWithParam<net::LoopKind> {
 protected:
  void start(std::size_t loops = 2) {
    server_ = std::make_unique<Server>(ServerOptions{.loops = loops, .loop = {.kind = GetParam()}});
    const auto started = server_->start(std::vector<net::Address>{*net::Address::parse("127.0.0.1", 0)},
                                        [this](LoopServer& loop, std::size_t i) {
                                          Server::HttpServices services;
                                          services.push_back(service(loop, i));
                                          return services;
                                        });
    ASSERT_TRUE(started) << started.error().message();
  }
  std::unique_ptr<HttpService> service(LoopServer&, std::size_t) {
    return std::make_unique<CountedService>(endpoint_, sites_);
  }
  // Returns when so many sites are left.
  void wait_for_sites(int count) const {
    for (int now = sites_; now != count; now = sites_) sites_.wait(now);
  }
  // Returns its index.
  std::size_t add(const Listener& listener) {
    auto bound = server_->bind_listener(listener);
    EXPECT_TRUE(bound) << bound.error().message();
    const std::size_t index = server_->listener_count();
    server_->add_listener(*std::move(bound),
                          [this](LoopServer& loop, std::size_t i) { return service(loop, i); });
    return index;
  }
  static Listener at(const net::Address& address) { return {.address = address, .options = {}}; }

  static net::Descriptor dial(const net::Address& address, bool must_work = true) {
    net::Descriptor peer(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int connected = ::connect(peer.get(), address.data(), address.size());
    if (must_work) {
      EXPECT_EQ(connected, 0) << address.text();
    }
    return connected == 0 ? std::move(peer) : net::Descriptor();
  }
  static std::string ask(const net::Descriptor& peer, std::string_view request) {
    return ask_for(peer, request, "GET /a");
  }
  // Up to what is wanted.
  static std::string ask_for(const net::Descriptor& peer, std::string_view request, std::string_view wanted) {
    EXPECT_EQ(::send(peer.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string text;
    std::array<char, 4096> piece;
    while (text.find(wanted) == std::string::npos) {
      const ssize_t got = ::recv(peer.get(), piece.data(), piece.size(), 0);
      if (got <= 0) break;
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
  // Until nobody listens there. The loops stop one after the other.
  static bool is_refused_soon(const net::Address& address) {
    for (int i = 0; i < 20'000; ++i) {
      if (!dial(address, false).valid()) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::atomic<int> sites_ = 0;
  SessionSettings settings_;
  EchoEndpoint endpoint_{settings_};
  std::unique_ptr<Server> server_;  // ends first
};

TEST_P(ChangedListenersTest, AnAddedOneIsServedOnAllLoopsAndARemovedOneRefuses) {
  start();
  const net::Address first = server_->addresses()[0];
  const std::size_t added = add(at(*net::Address::parse("127.0.0.1", 0)));
  EXPECT_EQ(added, 1U);
  const net::Address second = server_->addresses()[1];
  for (int i = 0; i < 8; ++i) EXPECT_NE(ask(dial(second), kLastGet).find("200"), std::string::npos);
  const auto kept = dial(second);
  EXPECT_EQ(ask(kept, kKeptGet).find("Connection: close"), std::string::npos);
  const auto other = dial(first);
  EXPECT_EQ(ask(other, kKeptGet).find("Connection: close"), std::string::npos);
  server_->remove_listener(added);
  EXPECT_TRUE(is_refused_soon(second));
  // Its connection is answered once more, and ends; others go on.
  EXPECT_NE(ask(kept, kKeptGet).find("Connection: close"), std::string::npos);
  EXPECT_EQ(ask(other, kKeptGet).find("Connection: close"), std::string::npos);
  EXPECT_NE(ask(dial(first), kLastGet).find("200"), std::string::npos);
  // The port is free for a new one.
  const std::size_t again = add(at(second));
  EXPECT_EQ(server_->addresses()[again].text(), second.text());
  EXPECT_NE(ask(dial(second), kLastGet).find("200"), std::string::npos);
}

TEST_P(ChangedListenersTest, AnAddressInUseIsAnErrorAndChangesNothing) {
  start();
  const auto bound = server_->bind_listener(at(server_->addresses()[0]));
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, EADDRINUSE);
  EXPECT_EQ(server_->listener_count(), 1U);
  EXPECT_NE(ask(dial(server_->addresses()[0]), kLastGet).find("200"), std::string::npos);
}

TEST_P(ChangedListenersTest, AUnixPathComesAndGoes) {
  start();
  const std::string path =
      std::filesystem::temp_directory_path() / ("fanfare-changed-" + std::to_string(::getpid()) + ".sock");
  const net::Address address = *net::Address::unix_path(path);
  const std::size_t added = add(at(address));
  EXPECT_NE(ask(dial(address), kLastGet).find("200"), std::string::npos);
  server_->remove_listener(added);
  EXPECT_FALSE(std::filesystem::exists(path));
  add(at(address));
  EXPECT_NE(ask(dial(address), kLastGet).find("200"), std::string::npos);
  server_->stop(1001, "", std::chrono::seconds(5));
  EXPECT_FALSE(std::filesystem::exists(path));
}

// Others hold copies of the socket: connections must not wait in its queue for nobody.
TEST_P(ChangedListenersTest, ASocketOfAnEarlierProcessIsShutDown) {
  start();
  const auto socket = net::listen_on(*net::Address::parse("127.0.0.1", 0));
  const net::Address address = *net::local_address(socket->get());
  const std::size_t added =
      add({.address = {}, .options = {}, .inherited_fd = socket->get(), .is_ours = true});
  EXPECT_NE(ask(dial(address), kLastGet).find("200"), std::string::npos);
  server_->remove_listener(added);
  EXPECT_TRUE(is_refused_soon(address));
}

// A removed one is not passed on to another process, and an added one is.
TEST_P(ChangedListenersTest, SocketsThatArePassedOnAreThoseThatAreThere) {
  start(1);
  const std::size_t removed = add(at(*net::Address::parse("127.0.0.1", 0)));
  const std::size_t kept = add(at(*net::Address::parse("127.0.0.1", 0)));
  server_->remove_listener(removed);
  auto passed = server_->copy_sockets();
  ASSERT_TRUE(passed);
  ASSERT_EQ(passed->size(), 2U);
  EXPECT_EQ((*passed)[0].listener, 0U);
  EXPECT_EQ((*passed)[1].listener, kept);
  ASSERT_TRUE(server_->stop_accepting());
  server_->accept_again(*std::move(passed));
  EXPECT_NE(ask(dial(server_->addresses()[kept]), kLastGet).find("200"), std::string::npos);
  EXPECT_FALSE(dial(server_->addresses()[removed], false).valid());
}

TEST_P(ChangedListenersTest, ARemovedOneGivesItsSiteBackBehindItsLastConnection) {
  start(1);
  const net::Address first = server_->addresses()[0];
  const std::size_t added = add(at(*net::Address::parse("127.0.0.1", 0)));
  const net::Address second = server_->addresses()[added];
  const auto kept = dial(second);
  ask(kept, kKeptGet);
  const auto socket = dial(second);
  std::string text = ask_for(socket, kUpgrade, "\r\n\r\n");
  EXPECT_NE(text.find("101 Switching"), std::string::npos);
  wait_for_sites(2);
  server_->remove_listener(added);
  EXPECT_TRUE(is_refused_soon(second));
  // A connection that may still ask keeps it. Others wait as long as the first look.
  server_->remove_listener(add(at(*net::Address::parse("127.0.0.1", 0))));
  wait_for_sites(2);
  EXPECT_NE(ask(kept, kKeptGet).find("Connection: close"), std::string::npos);
  wait_for_sites(1);
  // A WebSocket does not need it.
  EXPECT_NE(ask_for(socket, client_frame(0x81, "hello"), "hello").find("hello"), std::string::npos);
  EXPECT_NE(ask(dial(first), kLastGet).find("200"), std::string::npos);
  add(at(second));
  EXPECT_NE(ask(dial(second), kLastGet).find("200"), std::string::npos);
  wait_for_sites(2);
}

TEST_P(ChangedListenersTest, ConnectionsWithoutARequestMayEndAtOnce) {
  start(1);
  const std::size_t added = add(at(*net::Address::parse("127.0.0.1", 0)));
  const auto idle = dial(server_->addresses()[added]);
  EXPECT_NE(ask(idle, kKeptGet).find("200"), std::string::npos);
  const auto other = dial(server_->addresses()[0]);
  EXPECT_NE(ask(other, kKeptGet).find("200"), std::string::npos);
  server_->remove_listener(added, Server::HttpEnd::after_current_response);
  std::array<char, 64> piece;
  EXPECT_EQ(::recv(idle.get(), piece.data(), piece.size(), 0), 0);
  EXPECT_NE(ask(other, kKeptGet).find("200"), std::string::npos);
  wait_for_sites(1);
}

TEST_P(ChangedListenersTest, AUnixPathThatIsBoundAndNotAddedIsRemoved) {
  start();
  const std::string path =
      std::filesystem::temp_directory_path() / ("fanfare-bound-" + std::to_string(::getpid()) + ".sock");
  {
    const auto bound = server_->bind_listener(at(*net::Address::unix_path(path)));
    ASSERT_TRUE(bound);
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_P(ChangedListenersTest, AStormOfThemLeavesNoSite) {
  start();
  for (int i = 0; i < 20; ++i) {
    const std::size_t added = add(at(*net::Address::parse("127.0.0.1", 0)));
    EXPECT_NE(ask(dial(server_->addresses()[added]), kLastGet).find("200"), std::string::npos);
    server_->remove_listener(added);
  }
  wait_for_sites(2);
  // Those that wait for it go with their loop.
  const std::size_t last = add(at(*net::Address::parse("127.0.0.1", 0)));
  const auto open = dial(server_->addresses()[last]);
  ask(open, kKeptGet);
  server_->remove_listener(last);
  server_->stop(1001, "", std::chrono::seconds(0));
  EXPECT_EQ(sites_, 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ChangedListenersTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), [](const auto& tested) {
                           return tested.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::session
