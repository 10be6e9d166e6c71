// A minimal node with a full subscription server: chain [HTTP_PORT WEBSOCKET_PORT]. Its chain gets ten blocks
// per second, each with one log. Occasionally the last two blocks are replaced. Subscribe to newHeads or logs
// with any Ethereum client; a reorg shows as `removed: true`.

#include <fanfare/chain.h>

#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../port.h"

namespace {

struct Block {
  std::string hash;
  std::string header_json;
  std::string logs_json;
};

std::string hex(unsigned long long number) {
  char text[24];
  std::snprintf(text, sizeof(text), "\"0x%llx\"", number);
  return text;
}

// The chain and its JSON-RPC methods. One thread makes blocks, and another one reads them.
class Chain {
 public:
  Chain() { append(); }

  Block append() {
    const std::scoped_lock lock(mutex_);
    char hash[80];
    std::snprintf(hash, sizeof(hash), "\"0x%064llx\"", ++hashes_);
    const std::string parent = blocks_.empty() ? "\"0x" + std::string(64, '0') + "\"" : blocks_.back().hash;
    const std::string number = hex(blocks_.size());
    Block block{.hash = hash, .header_json = {}, .logs_json = {}};
    block.header_json = "{\"number\":" + number + ",\"hash\":" + hash + ",\"parentHash\":" + parent +
                        ",\"timestamp\":" + hex(1'700'000'000 + blocks_.size()) + ",\"logsBloom\":\"0x" +
                        std::string(512, 'f') + "\"}";
    block.logs_json = "[{\"address\":\"0x" + std::string(40, '1') +
                      "\",\"topics\":[],\"data\":\"0x\",\"blockNumber\":" + number +
                      ",\"transactionHash\":" + hash + ",\"transactionIndex\":\"0x0\",\"blockHash\":" + hash +
                      ",\"logIndex\":\"0x0\"}]";
    blocks_.push_back(block);
    return block;
  }
  void take_back(std::size_t count) {
    const std::scoped_lock lock(mutex_);
    blocks_.resize(blocks_.size() - count);
  }
  std::size_t height() {
    const std::scoped_lock lock(mutex_);
    return blocks_.size();
  }

  fanfare::CallResult call(std::string_view method, std::string_view params) {
    const std::scoped_lock lock(mutex_);
    if (method == "eth_chainId") return hex(7);
    if (method == "eth_blockNumber") return hex(blocks_.size() - 1);
    if (method == "eth_getBlockByNumber" || method == "eth_getBlockByHash" || method == "eth_getLogs") {
      const Block* block = find(params);
      if (block == nullptr) return "null";
      return method == "eth_getLogs" ? block->logs_json : block->header_json;
    }
    return std::unexpected(fanfare::CallError{.code = -32601, .message = "unknown method"});
  }

 private:
  // Finds a block by the parameters: a hash, a number in quotes, or "latest".
  const Block* find(std::string_view params) const {
    if (params.find("\"latest\"") != std::string_view::npos) return &blocks_.back();
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const bool fits = params.find(blocks_[i].hash) != std::string_view::npos ||
                        params.find(hex(i)) != std::string_view::npos;
      if (fits) return &blocks_[i];
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::vector<Block> blocks_;
  unsigned long long hashes_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Chain chain;
  fanfare::ChainServer server(
      {.http_port = port_argument(argc, argv, 1, 8545),
       .websocket_port = port_argument(argc, argv, 2, 8546),
       .chain_id = 7},
      [&chain](std::string_view method, std::string_view params) { return chain.call(method, params); });
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "chain: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("http://%s ws://%s\n", server.http_address().c_str(), server.websocket_address().c_str());
  std::fflush(stdout);

  for (;;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const std::size_t again = chain.height() % 10 == 9 ? 2 : 0;
    chain.take_back(again);
    for (std::size_t i = 0; i <= again; ++i) {
      const Block block = chain.append();
      server.on_new_block(block.header_json);
      server.on_logs(block.logs_json);
    }
  }
}
