// The relay with a cluster of three brokers, of which one is killed.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

// Ports that are free now: brokers of a cluster must know each other's before they start.
std::vector<int> free_ports(std::size_t count) {
  std::vector<int> sockets;
  std::vector<int> ports;
  for (std::size_t i = 0; i < count; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    sockets.push_back(fd);
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int fd : sockets) close(fd);
  return ports;
}

TEST(NatsCluster, ACountOfEventsSurvivesTheLossOfAnyOneBroker) {
  const std::vector<int> ports = free_ports(3);
  std::string routes;
  for (const int port : ports) {
    routes +=
        (routes.empty() ? "\"nats://127.0.0.1:" : ", \"nats://127.0.0.1:") + std::to_string(port) + "\"";
  }
  std::vector<std::unique_ptr<NatsServer>> servers;
  std::vector<std::string> urls;
  for (std::size_t i = 0; i < 3; ++i) {
    servers.push_back(std::make_unique<NatsServer>(
        "server_name: s" + std::to_string(i) + "\ncluster { name: test, listen: \"127.0.0.1:" +
        std::to_string(ports[i]) + "\", routes: [" + routes + "] }"));
    urls.push_back(servers.back()->url());
  }
  NatsOptions options = options_for(urls);
  options.replicas = 3;
  options.when_down = WhenRelayDown::keep;
  options.limits.messages_max = 10'000;
  Instance a(options);
  std::ranges::reverse(options.servers);
  Instance b(options);
  a.open("t");
  b.open("t");
  constexpr int kEvents = 300;
  std::vector<std::string> expected;
  for (int i = 0; i < kEvents; ++i) {
    ASSERT_TRUE(a.publish("t", std::to_string(i)));
    expected.push_back(std::to_string(i));
    if (i == 100) {
      ASSERT_TRUE(eventually([&] { return a.sink.has("t", 20); }));
      servers[0]->kill();
    }
  }
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", kEvents) && b.sink.has("t", kEvents); }));
  auto seen = a.sink.topic("t").texts;
  EXPECT_EQ(seen, b.sink.topic("t").texts);
  EXPECT_EQ(a.sink.topic("t").lost.size(), 1U);  // where it began
  // Those that were in flight when the leader was lost may be stored after later ones.
  std::ranges::sort(seen);
  std::ranges::sort(expected);
  EXPECT_EQ(seen, expected);
}

}  // namespace
}  // namespace fanfare::relay
