// A server on a listening socket that it did not open: the loops share it, and it outlives the server.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "session/loop_server_for_tests.h"
#include "session/server.h"

namespace fanfare::session {
namespace {

class InheritedListenerTest : public testing::TestWithParam<net::LoopKind> {
 protected:
  // Two loops on `fd`.
  std::unique_ptr<Server> serve(int fd) {
    auto server = std::make_unique<Server>(ServerOptions{.loops = 2, .loop = {.kind = GetParam()}});
    const auto started = server->start({Listener{.address = {}, .options = {}, .inherited_fd = fd}},
                                       [this](LoopServer&, std::size_t) {
                                         Server::HttpServices services;
                                         services.push_back(std::make_unique<TestHttpService>(endpoint_));
                                         return services;
                                       });
    EXPECT_TRUE(started) << started.error().message();
    return server;
  }

  static net::Descriptor dial(const net::Address& address) {
    net::Descriptor peer(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(peer.get(), address.data(), address.size()), 0);
    constexpr std::string_view kGetA = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(::send(peer.get(), kGetA.data(), kGetA.size(), 0), static_cast<ssize_t>(kGetA.size()));
    return peer;
  }
  static std::string answer(const net::Descriptor& peer) {
    std::string text;
    std::array<char, 4096> piece;
    for (ssize_t got = 0; (got = ::recv(peer.get(), piece.data(), piece.size(), 0)) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

  SessionSettings settings_;
  EchoEndpoint endpoint_{settings_};
};

TEST_P(InheritedListenerTest, IsSharedByTheLoopsAndLeftListeningForTheNextServer) {
  const auto socket = net::listen_on(*net::Address::parse("127.0.0.1", 0));
  const net::Address address = *net::local_address(socket->get());
  auto server = serve(socket->get());
  EXPECT_EQ(server->addresses().front().text(), address.text());
  for (int i = 0; i < 8; ++i) EXPECT_NE(answer(dial(address)).find("GET /a"), std::string::npos);
  EXPECT_EQ(server->stop(1012, "", std::chrono::seconds(20)), 0U);
  // No connection is refused in between: the successor serves it.
  const auto waiting = dial(address);
  server = serve(socket->get());
  EXPECT_NE(answer(waiting).find("GET /a"), std::string::npos);
}

TEST_P(InheritedListenerTest, UnixPathIsNotOursToRemove) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("fanfare-inherited-" + std::to_string(::getpid()))).string();
  const net::Address address = *net::Address::unix_path(path);
  const auto socket = net::listen_on(address);
  ASSERT_TRUE(socket) << socket.error().message();
  auto server = serve(socket->get());
  EXPECT_NE(answer(dial(address)).find("GET /a"), std::string::npos);
  server->stop(1012, "", std::chrono::seconds(20));
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  ::unlink(path.c_str());
}

INSTANTIATE_TEST_SUITE_P(Kinds, InheritedListenerTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::session
