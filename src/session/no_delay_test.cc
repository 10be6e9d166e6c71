// Small frames are sent at once, however a connection came.

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <string>

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

class NoDelayTest : public LoopServerTest {
 protected:
  void connect_to_it() { EXPECT_EQ(::connect(peer_.get(), address_.data(), address_.size()), 0); }
  // The server's end is in this process, too.
  int servers_end() const {
    const std::string own = net::local_address(peer_.get()).value().text();
    for (int fd = 0; fd < 1024; ++fd) {
      const auto other = net::peer_address(fd);
      if (other && other->text() == own) return fd;
    }
    return -1;
  }
  bool is_sent_at_once() {
    EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 1; }));
    int is_on = 0;
    socklen_t size = sizeof(is_on);
    EXPECT_EQ(::getsockopt(servers_end(), IPPROTO_TCP, TCP_NODELAY, &is_on, &size), 0);
    return is_on != 0;
  }

  void forget_it() {
    const int off = 0;
    EXPECT_EQ(::setsockopt(listening_.get(), IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off)), 0);
  }

  net::Descriptor listening_ = net::listen_on(net::Address::parse("127.0.0.1", 0).value()).value();
  net::Address address_ = net::local_address(listening_.get()).value();
  net::Descriptor peer_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

INSTANTIATE_TEST_SUITE_P(Loops, NoDelayTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

TEST_P(NoDelayTest, FromAListenerOfOurs) {
  start();
  server_->listen(std::move(listening_), service_);
  connect_to_it();
  EXPECT_TRUE(is_sent_at_once());
}

// A service manager's, say. The connection came before the server.
TEST_P(NoDelayTest, FromAnInheritedListener) {
  forget_it();
  connect_to_it();
  start();
  server_->listen(std::move(listening_), service_);
  EXPECT_TRUE(is_sent_at_once());
}

TEST_P(NoDelayTest, AcceptedElsewhere) {
  forget_it();
  connect_to_it();
  start();
  server_->serve(net::Descriptor(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)),
                 service_);
  EXPECT_TRUE(is_sent_at_once());
}

}  // namespace
}  // namespace fanfare::session
