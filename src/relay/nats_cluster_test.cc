// The relay with a cluster of three brokers, of which one or two are killed.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/random.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

// Brokers of a cluster must know each other's ports before they start. These are free now, and below those that the system gives to
// others meanwhile.
std::vector<int> free_ports(std::size_t count) {
  SystemRandom random;
  std::vector<int> ports;
  for (int tries = 0; ports.size() < count && tries < 1000; ++tries) {
    const auto port = static_cast<std::uint16_t>(20'000 + random.next_u64() % 10'000);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const bool is_free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    if (is_free && std::ranges::find(ports, port) == ports.end()) ports.push_back(port);
    close(fd);
  }
  EXPECT_EQ(ports.size(), count);
  return ports;
}

struct Cluster {
  Cluster() {
    const std::vector<int> ports = free_ports(3);
    std::string routes;
    for (const int port : ports) {
      routes +=
          (routes.empty() ? "\"nats://127.0.0.1:" : ", \"nats://127.0.0.1:") + std::to_string(port) + "\"";
    }
    for (std::size_t i = 0; i < 3; ++i) {
      servers.push_back(std::make_unique<NatsServer>(
          "server_name: s" + std::to_string(i) + "\ncluster { name: test, listen: \"127.0.0.1:" +
          std::to_string(ports[i]) + "\", routes: [" + routes + "] }"));
      urls.push_back(servers.back()->url());
    }
  }
  std::vector<std::unique_ptr<NatsServer>> servers;
  std::vector<std::string> urls;
};

// No majority is left, so nothing is stored or read.
TEST(NatsCluster, TwoOfThreeBrokersThatGoAndComeBackLoseNothing) {
  Cluster cluster;
  NatsOptions options = options_for(cluster.urls);
  options.replicas = 3;
  options.publish_timeout = std::chrono::minutes(1);
  Instance a(options);
  Instance b(options);
  a.open("t");
  b.open("t");
  a.publish("t", "before");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1) && b.sink.has("t", 1); }));
  cluster.servers[0]->kill();
  cluster.servers[1]->kill();
  ASSERT_TRUE(eventually([&] { return !a.sink.is_up() && !b.sink.is_up(); }));
  EXPECT_TRUE(a.publish("t", "meanwhile"));
  cluster.servers[0]->start();
  cluster.servers[1]->start();
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2) && b.sink.has("t", 2); }));
  EXPECT_TRUE(eventually([&] { return a.sink.is_up() && b.sink.is_up(); }));
  EXPECT_EQ(a.sink.topic("t").texts, (std::vector<std::string>{"before", "meanwhile"}));
  EXPECT_EQ(b.sink.topic("t").texts, a.sink.topic("t").texts);
  EXPECT_EQ(b.sink.topic("t").lost.size(), 1U);  // where it began
}

TEST(NatsCluster, ACountOfEventsSurvivesTheLossOfAnyOneBroker) {
  Cluster cluster;
  NatsOptions options = options_for(cluster.urls);
  options.replicas = 3;
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
      cluster.servers[0]->kill();
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
