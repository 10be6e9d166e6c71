// newFinalizedHeads of an in-process chain: the chain's own handler says which block is finalized.

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "api/raw_client_for_tests.h"
#include "base/random.h"
#include "eth/hex.h"
#include "fanfare/chain.h"
#include "gateway/world_for_tests.h"
#include "jsonrpc/value.h"

namespace fanfare {
namespace {

constexpr std::uint64_t kFinalDepth = 2;

// A chain whose finalized block is kFinalDepth blocks below its head. Any thread.
class Chain {
 public:
  Chain() {
    for (int i = 0; i < 4; ++i) world_.mine();
  }
  // Returns the new block.
  std::string mine() {
    const std::scoped_lock lock(mutex_);
    world_.mine();
    return world_.head().block.json();
  }
  std::string hash_of(std::uint64_t number) {
    const std::scoped_lock lock(mutex_);
    return eth::to_hex(gateway::simulated::World::at(world_.head(), number)->block.hash);
  }
  CallResult answer(std::string_view method, std::string_view params) {
    if (method != "eth_getBlockByNumber")
      return std::unexpected(CallError{.code = -32601, .message = "unknown"});
    const std::scoped_lock lock(mutex_);
    const std::uint64_t head = world_.head().block.number;
    const std::string tag = jsonrpc::string_copy(jsonrpc::element(params, 0).value_or("")).value_or("");
    const auto number = tag == "latest"      ? head
                        : tag == "finalized" ? head - kFinalDepth
                                             : eth::parse_quantity(tag).value_or(UINT64_MAX);
    const auto* const block = gateway::simulated::World::at(world_.head(), number);
    return block == nullptr ? "null" : block->block.json();
  }

 private:
  std::mutex mutex_;
  SeededRandom random_{7};
  gateway::simulated::World world_{random_};
};

// The server refuses other hosts than this machine.
std::string upgrade(api::RawClient& client) {
  client.write(
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  return client.read_answer(false);
}

TEST(ChainServerFinalized, HeadsComeInOrderAndNoneIsLeftOut) {
  Chain chain;
  ChainServer server(
      {.http_port = 0, .websocket_port = 0, .threads = 1},
      [&chain](std::string_view method, std::string_view params) { return chain.answer(method, params); });
  ASSERT_TRUE(server.start());
  const std::string address = server.websocket_address();
  api::RawClient client(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  ASSERT_TRUE(upgrade(client).starts_with("HTTP/1.1 101 "));
  client.send(R"({"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newFinalizedHeads"]})");
  const std::string accepted = client.receive();
  ASSERT_NE(accepted.find(R"("result":"0x)"), std::string::npos) << accepted;

  std::uint64_t next = 5 - kFinalDepth;  // the fifth block makes it final
  for (const int blocks : {1, 1, 3}) {   // the last three at once: the poller sees a jump
    for (int i = 0; i < blocks; ++i) server.on_new_block(chain.mine());
    for (int i = 0; i < blocks; ++i, ++next) {
      const std::string event = client.receive();
      EXPECT_NE(event.find(R"("number":")" + eth::to_quantity(next) + '"'), std::string::npos) << event;
      EXPECT_NE(event.find(R"("hash":")" + chain.hash_of(next) + '"'), std::string::npos) << event;
    }
  }
}

TEST(ChainServerFinalized, AChainWithoutFinalityRefusesTheSubscription) {
  ChainServer server({.http_port = 0, .websocket_port = 0, .threads = 1},
                     [chain = std::make_shared<Chain>()](std::string_view method, std::string_view params) {
                       if (params.find("finalized") != std::string_view::npos) return CallResult("null");
                       return chain->answer(method, params);
                     });
  ASSERT_TRUE(server.start());
  const std::string address = server.websocket_address();
  api::RawClient client(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  ASSERT_TRUE(upgrade(client).starts_with("HTTP/1.1 101 "));
  client.send(R"({"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newFinalizedHeads"]})");
  const std::string refused = client.receive();
  EXPECT_NE(refused.find("does not report finalized blocks"), std::string::npos) << refused;
}

}  // namespace
}  // namespace fanfare
