// The development chain as a node.

#include "gateway/dev_node.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>

#include "eth/hex.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

constexpr const char* kBlockNumber = R"({"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]})";

std::uint64_t number_in(const upstream::Result& result) {
  const auto answer = result ? jsonrpc::split_response(result->body) : std::nullopt;
  const auto text = answer ? jsonrpc::string_value(answer->result) : std::nullopt;
  return text ? eth::parse_quantity(*text).value_or(0) : 0;
}

// A chain that is a hundred blocks late makes one of them in each turn of the worker, and calls are answered in between.
TEST(DevNode, AnswersCallsBetweenBlocksThatAreLate) {
  upstream::Worker worker;
  std::unique_ptr<DevNode> node;
  std::promise<std::uint64_t> blocks;
  worker.run([&] {
    node = std::make_unique<DevNode>(worker, dev_options({.block_time = 1ms}, 1337));
    const Instant late = worker.now() + 100ms;
    while (worker.now() < late) continue;
    node->call(kBlockNumber, {},
               [&](const upstream::Result& result) { blocks.set_value(number_in(result)); });
  });
  EXPECT_EQ(blocks.get_future().get(), 1U);
  worker.run([&] { node.reset(); });
  worker.stop();
}

}  // namespace
}  // namespace fanfare::gateway
