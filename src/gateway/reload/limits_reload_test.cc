// Other limits while clients are connected: nobody is closed, and the new limits apply to what follows. Also meant for ThreadSanitizer.

#include "gateway/reload/reload_world_for_tests.h"

namespace fanfare::gateway {
namespace {

using ::testing::Not;

class LimitsReloadTest : public ReloadWorld {
 protected:
  static std::string batch_of(int calls) {
    std::string batch = "[" + std::string(kChainId);
    for (int i = 1; i < calls; ++i) batch += "," + std::string(kChainId);
    return batch + "]";
  }
  // How many connections were refused at the accept, for this reason.
  std::string refused(std::string_view reason) const {
    const std::string text = RawClient(port()).request("GET", "/metrics");
    const std::string name = "fanfare_connections_refused_total{reason=\"" + std::string(reason) + "\"} ";
    const std::size_t at = text.find(name);
    return at == std::string::npos ? "none" : text.substr(at + name.size(), 1);
  }
};

TEST_P(LimitsReloadTest, FewerConnectionsCloseNobodyAndRefuseNewOnesUntilEnoughHaveLeft) {
  start();
  const auto first = subscribe("main");
  auto second = subscribe("side");
  plan_.accept.connections_max = 1;
  ASSERT_EQ(reload().size(), 1U);
  EXPECT_EQ(RawClient(port()).read_answer(false), "EOF");
  expect_heads(*first, 2);
  expect_heads(*second, 2);
  plan_.accept.connections_max = 0;
  EXPECT_THAT(reload(), ElementsAre("~ server.limits.connectionsMax: 1 -> 0"));
  EXPECT_EQ(refused("server_connections"), "1");
  plan_.accept.connections_max = 2;
  reload();
  second.reset();
  // As soon as the server has seen that it left.
  std::string answer;
  for (int i = 0; i < 2000 && !answer.starts_with("HTTP/1.1 200"); ++i) {
    RawClient client(port());
    answer = client.request("GET", "/healthz");
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  expect_heads(*first, 2);
}

TEST_P(LimitsReloadTest, LimitsOfAnAddressApplyToLoopbackOnceTheyAreConfigured) {
  start();
  const auto first = subscribe("main");
  plan_.accept = {.connections_per_address_max = 1, .limits_loopback = true};
  reload();
  // Those that came before it was limited do not count.
  const auto second = subscribe("main");
  EXPECT_EQ(RawClient(port()).read_answer(false), "EOF");
  plan_.accept = {};
  reload();
  EXPECT_EQ(refused("address_connections"), "1");
  expect_heads(*first, 2);
  expect_heads(*second, 2);
}

TEST_P(LimitsReloadTest, BodiesAndBatchesOfOpenConnectionsAreJudgedByTheNewLimits) {
  start();
  const auto socket = open("main");
  socket->send(batch_of(3));
  EXPECT_THAT(socket->receive(), HasSubstr("0x539"));
  RawClient kept(port());
  const auto post = [&](RawClient& client, const std::string& body) {
    client.write("POST " + path("main") + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.read_answer(false);
  };
  const std::string padded = std::string(kChainId) + std::string(2000, ' ');
  EXPECT_THAT(post(kept, padded), HasSubstr("0x539"));
  plan_.http.body_bytes_max = 1024;
  plan_.answers.batch_items_max = 2;
  EXPECT_THAT(reload(), ElementsAre("~ server.maxBodyBytes: 16777216 -> 1024",
                                    "~ server.limits.batchItemsMax: 1000 -> 2"));
  // Each loop in its own time; then for good.
  EXPECT_THAT(answer_when("main", padded, " 413 "), StartsWith("HTTP/1.1 413"));
  std::string text;
  for (int i = 0; i < 2000 && text.find("-32600") == std::string::npos; ++i) {
    socket->send(batch_of(3));
    text = socket->receive();
  }
  EXPECT_THAT(text, HasSubstr("-32600"));
  socket->send(batch_of(2));
  EXPECT_THAT(socket->receive(), Not(HasSubstr("-32600")));
  while (post(kept, std::string(kChainId)).empty()) {
  }
  plan_.http.body_bytes_max = 4096;
  reload();
  EXPECT_THAT(answer_when("main", padded, "0x539"), HasSubstr("0x539"));
}

TEST_P(LimitsReloadTest, HeadsAndTheTimeForThem) {
  start();
  plan_.http.head_bytes_max = 1024;
  plan_.http.header_count_max = 5;
  plan_.http.handshake_timeout = 100ms;
  ASSERT_EQ(reload().size(), 3U);
  const auto answer_to = [&](const std::string& head, std::string_view wanted) {
    std::string answer;
    for (int i = 0; i < 2000 && answer.find(wanted) == std::string::npos; ++i) {
      RawClient client(port());
      client.write(head);
      answer = client.read_answer(false);
    }
    return answer;
  };
  const std::string begin = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
  EXPECT_THAT(answer_to(begin + "A: " + std::string(1100, 'a') + "\r\n\r\n", " 431 "),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(answer_to(begin + "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\n\r\n", " 431 "),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(answer_to(begin + "A: 1\r\n\r\n", " 200 "), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer_to(begin, " 408 "), StartsWith("HTTP/1.1 408"));
}

TEST_P(LimitsReloadTest, MemoryAndSubscriptions) {
  start();
  const auto client = subscribe("main");
  plan_.answers.held_bytes_max = plan_.answers.held_bytes_per_project_max = 1;
  plan_.websocket.subscriptions_per_connection_max = 1;
  ASSERT_EQ(reload().size(), 3U);
  EXPECT_THAT(answer_when("side", kChainId, "-32005"), HasSubstr("-32005"));
  expect_heads(*client, 2);
  plan_.answers = {};
  reload();
  EXPECT_THAT(answer_when("side", kChainId, "0x539"), HasSubstr("0x539"));
  // Its own subscription stays; another one is too many.
  std::string text;
  for (int i = 0; i < 2000 && text.find("-32005") == std::string::npos; ++i) {
    client->send(R"({"jsonrpc":"2.0","id":7,"method":"eth_subscribe","params":["newHeads"]})");
    while ((text = client->receive()).find("\"id\":7") == std::string::npos) {
    }
  }
  EXPECT_THAT(text, HasSubstr("-32005"));
}

INSTANTIATE_TEST_SUITE_P(Loops, LimitsReloadTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
