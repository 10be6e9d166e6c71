// Listeners are added and removed while clients use others. Also meant for ThreadSanitizer.

#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gateway/reload/reload_world_for_tests.h"
#include "gateway/reload/reloader.h"

namespace fanfare::gateway {
namespace {

class ListenersReloadTest : public ReloadWorld {
 protected:
  // A port that is free: another process may take it, but does not in practice.
  static std::uint16_t free_port() {
    const auto socket = net::listen_on(*net::Address::parse("127.0.0.1", 0));
    return net::local_address(socket->get())->port();
  }
  ListenerPlan listener_at(std::uint16_t port) const {
    return {.at = {.port = port}, .mounts = plan_.listeners.front().mounts};
  }
  static std::string health_at(std::uint16_t port) {
    RawClient client(port);
    return client.request("GET", "/healthz").substr(0, 12);
  }
  static bool accepts(const net::Address& address) {
    const net::Descriptor peer(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(peer.get(), address.data(), address.size()) == 0;
  }
  // When a reload has returned, nobody listens at a removed port any more, so it can be bound again.
  static bool is_refused(std::uint16_t port) {
    const auto address = *net::Address::parse("127.0.0.1", port);
    return !accepts(address) && net::check_free(address);
  }
};

// The listener keeps its address, so its certificate would be loaded only at the next start.
TEST_P(ListenersReloadTest, ACertificateThatCannotBeLoadedChangesNothing) {
  start();
  ServePlan wanted = plan_;
  wanted.listeners.front().at.tls = {.certificate_file = "/no/such.pem", .key_file = "/no/such.key"};
  wanted.networks.pop_back();
  Reloader reloader(*gateway_, plan_, [&] { return wanted; });
  reloader.reload_all();
  EXPECT_EQ(gateway_->states().size(), 2U);
  wanted.listeners = plan_.listeners;
  reloader.reload_all();
  EXPECT_EQ(gateway_->states().size(), 1U);
}

TEST_P(ListenersReloadTest, OneIsAddedAndRemovedAndConnectionsOfBothGoOn) {
  start();
  const auto stays = subscribe("main");
  const std::uint16_t first = port();
  const std::uint16_t second = free_port();
  const std::string name = "listener 127.0.0.1:" + std::to_string(second);
  plan_.listeners.push_back(listener_at(second));
  EXPECT_THAT(reload(), ElementsAre("+ " + name));
  EXPECT_EQ(gateway_->addresses().back().port(), second);
  EXPECT_EQ(health_at(second), "HTTP/1.1 200");
  RawClient socket(second);
  EXPECT_THAT(socket.upgrade(path("side")), StartsWith("HTTP/1.1 101"));
  socket.send(kHeads);
  EXPECT_THAT(socket.receive(), HasSubstr("\"result\":\"0x"));
  expect_heads(socket, 2);
  RawClient kept(second);
  EXPECT_THAT(kept.request("GET", "/healthz"), ::testing::Not(HasSubstr("Connection: close")));

  plan_.listeners.pop_back();
  EXPECT_THAT(reload(), ElementsAre("- " + name));
  EXPECT_EQ(gateway_->addresses().size(), 1U);
  EXPECT_TRUE(is_refused(second));
  // Its WebSocket goes on; its HTTP connection ends after one more answer.
  expect_heads(socket, 3);
  EXPECT_THAT(kept.request("GET", "/healthz"), HasSubstr("Connection: close"));
  expect_heads(*stays, 3);
  EXPECT_EQ(gateway_->addresses().front().port(), first);

  // It comes back, beside another change.
  plan_.listeners.push_back(listener_at(second));
  plan_.networks.pop_back();
  EXPECT_THAT(reload(), ElementsAre("+ " + name, "- network side/1337"));
  EXPECT_EQ(health_at(second), "HTTP/1.1 200");
  EXPECT_THAT(reload(), IsEmpty());
}

TEST_P(ListenersReloadTest, ThePortMovesUnderTheClients) {
  start();
  const auto client = subscribe("main");
  const std::uint16_t before = port();
  const std::uint16_t after = free_port();
  plan_.listeners.front().at.port = after;
  EXPECT_EQ(reload().size(), 2U);
  EXPECT_EQ(gateway_->addresses().front().port(), after);
  EXPECT_TRUE(is_refused(before));
  EXPECT_EQ(health_at(after), "HTTP/1.1 200");
  expect_heads(*client, 3);
}

TEST_P(ListenersReloadTest, AnAddressInUseChangesNothingAtAll) {
  start();
  const auto client = subscribe("side");
  const auto other = net::listen_on(*net::Address::parse("127.0.0.1", 0));
  plan_.listeners.push_back(listener_at(net::local_address(other->get())->port()));
  plan_.networks.pop_back();
  plan_.accept.connections_max = 1;
  const PlanDiff diff = gateway_->reload(plan_);
  EXPECT_THAT(diff.refusal, StartsWith("server.httpPort: cannot listen: bind 127.0.0.1:"));
  EXPECT_EQ(diff.result.networks.size(), 2U);
  expect_heads(*client, 3);
  expect_heads(*subscribe("side"), 2);
  plan_.listeners.pop_back();
  EXPECT_EQ(reload().size(), 2U);
}

TEST_P(ListenersReloadTest, AnAddressThatTheServerItselfHasSaysSo) {
  plan_.listeners.front().at.port = free_port();
  start();
  plan_.listeners.front().at.host = "0.0.0.0";
  EXPECT_THAT(gateway_->reload(plan_).refusal,
              HasSubstr(" cannot be bound, because the running server listens at 127.0.0.1:"));
}

TEST_P(ListenersReloadTest, AUnixSocketComesAndGoes) {
  start();
  const std::string path =
      std::filesystem::temp_directory_path() / ("fanfare-reload-" + std::to_string(::getpid()) + ".sock");
  plan_.listeners.push_back(plan_.listeners.front());
  plan_.listeners.back().at.unix_path = path;
  EXPECT_THAT(reload(), ElementsAre("+ listener unix:" + path));
  RawClient client(path);
  EXPECT_THAT(client.request("GET", "/healthz"), StartsWith("HTTP/1.1 200"));
  plan_.listeners.pop_back();
  EXPECT_THAT(reload(), ElementsAre("- listener unix:" + path));
  EXPECT_FALSE(std::filesystem::exists(path));
}

// Straight back, many times: a socket that closes late would be in the way.
TEST_P(ListenersReloadTest, APortMovesBackAtOnce) {
  start();
  const std::uint16_t one = free_port();
  const std::uint16_t other = free_port();
  for (int i = 0; i < 40; ++i) {
    plan_.listeners.front().at.port = i % 2 == 0 ? one : other;
    const PlanDiff diff = gateway_->reload(plan_);
    ASSERT_EQ(diff.refusal, "") << i;
  }
}

TEST_P(ListenersReloadTest, AUnixSocketWhoseFileIsGoneIsBoundAgain) {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("fanfare-lost-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder + "/a.sock";
  plan_.listeners.push_back(plan_.listeners.front());
  plan_.listeners.back().at.unix_path = path;
  start();
  RawClient before(path);
  EXPECT_THAT(before.upgrade(this->path("main")), StartsWith("HTTP/1.1 101"));
  std::filesystem::remove(path);
  EXPECT_THAT(reload(), IsEmpty());
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_THAT(RawClient(path).request("GET", "/healthz"), StartsWith("HTTP/1.1 200"));
  before.send(kChainId);
  EXPECT_THAT(before.receive(), HasSubstr("\"id\":2"));
  // What is there now is somebody else's, or there is no directory: everything else is applied.
  std::filesystem::remove(path);
  std::ofstream(path) << "precious";
  plan_.networks.pop_back();
  EXPECT_THAT(reload(), ElementsAre("- network side/1337"));
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
  std::filesystem::remove_all(folder);
  EXPECT_THAT(reload(), IsEmpty());
  std::filesystem::create_directory(folder);
  EXPECT_THAT(reload(), IsEmpty());
  EXPECT_THAT(RawClient(path).request("GET", "/healthz"), StartsWith("HTTP/1.1 200"));
  gateway_.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

TEST_P(ListenersReloadTest, WhatIsServedThereChanges) {
  start();
  RawClient kept(port());
  EXPECT_THAT(kept.request("GET", "/metrics"), StartsWith("HTTP/1.1 200"));
  plan_.listeners.front().mounts = routed_mounts(false);
  EXPECT_EQ(reload().size(), 1U);
  std::string answer;
  for (int i = 0; i < 2000 && !answer.starts_with("HTTP/1.1 404"); ++i)
    answer = kept.request("GET", "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404"));
}

INSTANTIATE_TEST_SUITE_P(Loops, ListenersReloadTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
