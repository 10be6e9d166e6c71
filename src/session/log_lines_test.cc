// Events that peers can trigger do not flood the log.

#include <gtest/gtest.h>

#include <string>

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

using LogLinesTest = LoopServerTest;

INSTANTIATE_TEST_SUITE_P(Kinds, LogLinesTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

TEST_P(LogLinesTest, RefusedProxyHeadersAreLoggedAFewTimesAMinute) {
  start();
  auto listening = net::listen_on(*net::Address::parse("127.0.0.1", 0)).value();
  const net::Address address = *net::local_address(listening.get());
  server_->listen(std::move(listening), service_, {.proxy_protocol = ProxyProtocol::required});
  testing::internal::CaptureStderr();
  for (int i = 0; i < 30; ++i) {
    const net::Descriptor peer = net::start_connect(address).value();
    write(peer, "GET / HTTP/1.1\r\n\r\n");
    read_until(peer, "EOF");
  }
  const std::string log = testing::internal::GetCapturedStderr();
  std::size_t lines = 0;
  for (auto at = log.find("proxy_header_refused"); at != std::string::npos;
       at = log.find("proxy_header_refused", at + 1)) {
    ++lines;
  }
  EXPECT_LE(lines, 10U) << log;
  EXPECT_EQ(server_->gate().refused(Refusal::proxy_header), 30U);
}

}  // namespace
}  // namespace fanfare::session
