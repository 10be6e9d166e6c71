// A small node with its own methods over HTTP, WebSocket and a Unix socket: node [FILE]. FILE has lines such as
//
//   rpcport=8332                     HTTP and WebSocket
//   rpcwebsocketport=8333            the same, with TLS if there is a certificate
//   rpcsslcertificatechainfile=cert.pem
//   rpcsslprivatekeyfile=key.pem
//   rpcuser=alice                    or rpcauth=alice:SALT$HMAC
//   rpcpassword=secret
//   rpcwhitelist=alice:getblockcount,getbalance
//   mineevery=10
//
// Without FILE it serves 127.0.0.1 without a password. `help` lists its methods:
//
//   curl -d '{"jsonrpc":"2.0","id":1,"method":"getblockcount"}' http://127.0.0.1:8332/

#include <fanfare/rpc.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "chain.h"
#include "config.h"

using fanfare::Json;
using fanfare::JsonObject;
using fanfare::rpc_error;
using fanfare::RpcCall;
using fanfare::RpcMethod;
using fanfare::RpcParam;
using fanfare::RpcResult;
using fanfare::RpcRun;

template <>
struct fanfare::JsonType<Transaction> {
  static void write(std::string& out, const Transaction& value) {
    out += JsonObject()
               .add("txid", value.id)
               .add("from", value.from)
               .add("to", value.to)
               .add("amount", value.amount)
               .text();
  }
  static std::string schema() { return R"({"type":"object"})"; }
};

template <>
struct fanfare::JsonType<Block> {
  static void write(std::string& out, const Block& value) {
    out += JsonObject()
               .add("hash", value.hash)
               .add("height", value.height)
               .add("previousblockhash", value.previous)
               .add("time", value.time)
               .add("nonce", value.nonce)
               .add("tx", value.transactions)
               .text();
  }
  static std::string schema() { return R"({"type":"object"})"; }
};

namespace {

std::atomic<bool> stopping = false;

// A method's permission is its name: whitelists name methods.
RpcMethod about(const char* name, const char* description, RpcRun run = RpcRun::loop) {
  return {.description = description, .permission = name, .run = run, .timeout = std::chrono::minutes(1)};
}

class Node {
 public:
  explicit Node(const Config& config)
      : config_(config),
        chain_(
            {.block = [this](const Block& block) { rpc_.publish(server_, "newblock", block); },
             .transaction = [this](const Transaction& one) { rpc_.publish(server_, "mempooltx", one); },
             .peer = [this](const std::string& address, bool connected) { tell_peer(address, connected); }}),
        server_(options(config)),
        rpc_(
            {.title = "node",
             .version = "1.0",
             .authenticate = [&config](const fanfare::Request& request) { return identify(config, request); },
             .workers = config.rpcthreads,
             .work_queue_max = config.rpcworkqueue}) {
    add_chain_methods();
    add_wallet_methods();
    add_peer_methods();
    add_mining_methods();
    rpc_.event<Block>("newblock",
                      {.description = "A block was added to the chain.", .permission = "subscribe"});
    rpc_.event<Transaction>("mempooltx", {.description = "A transaction waits.", .permission = "subscribe"});
    rpc_.event<Json>("peer", {.description = "A peer came or went.", .permission = "subscribe"});
    rpc_.event<Json>("mining", {.description = "Mining began or ended.", .permission = "subscribe"});
    rpc_.serve(server_, "/");
  }

  // The exit code.
  int run() {
    if (const auto started = server_.start(); !started) {
      std::fprintf(stderr, "node: %s\n", started.error().message.c_str());
      return 1;
    }
    for (const std::string& address : server_.addresses()) std::printf("%s\n", address.c_str());
    std::fflush(stdout);
    auto next = std::chrono::steady_clock::now();
    while (!stopping) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (config_.mineevery == 0 || std::chrono::steady_clock::now() < next) continue;
      next = std::chrono::steady_clock::now() + std::chrono::seconds(config_.mineevery);
      chain_.mine("miner", [] { return stopping.load(); });
    }
    server_.stop();
    return 0;
  }

 private:
  static fanfare::ServerOptions options(const Config& config) {
    fanfare::ServerOptions options{.host = config.rpcbind, .port = config.rpcport};
    fanfare::Listener websocket{.host = config.rpcbind, .port = config.rpcwebsocketport};
    if (!config.rpcsslcertificatechainfile.empty()) {
      websocket.tls = fanfare::Tls{.certificate_file = config.rpcsslcertificatechainfile,
                                   .key_file = config.rpcsslprivatekeyfile};
    }
    options.more_listeners.push_back(websocket);
    if (!config.rpcunixsocket.empty()) {
      options.more_listeners.push_back({.unix_path = config.rpcunixsocket, .unix_mode = 0600});
    }
    options.limits.message_bytes_max = std::size_t{1} << 20;
    return options;
  }

  void tell_peer(const std::string& address, bool connected) {
    rpc_.publish(server_, "peer", JsonObject().add("addr", address).add("connected", connected).json());
  }

  void add_chain_methods() {
    rpc_.method("getblockcount", about("getblockcount", "The height of the newest block."),
                [this](const RpcCall&) { return chain_.height(); });
    rpc_.method("getbestblockhash", about("getbestblockhash", "The hash of the newest block."),
                [this](const RpcCall&) { return chain_.block_at(chain_.height())->hash; });
    rpc_.method(
        "getblockhash", about("getblockhash", "The hash of the block at a height."),
        [this](const RpcCall&, std::uint64_t height) -> RpcResult<std::string> {
          const auto block = chain_.block_at(height);
          if (!block) return rpc_error(-8, "Block height out of range");
          return block->hash;
        },
        RpcParam<std::uint64_t>{"height", "The height of the block."});
    rpc_.method(
        "getblock", about("getblock", "A block with its transactions."),
        [this](const RpcCall&, const std::string& hash) -> RpcResult<Block> {
          const auto block = chain_.block_of(hash);
          if (!block) return rpc_error(-5, "Block not found");
          return *block;
        },
        RpcParam<std::string>{"blockhash", "The hash of the block."});
    rpc_.method("stop", about("stop", "Stops the node."), [](const RpcCall&) {
      stopping = true;
      return std::string("node stopping");
    });
  }

  void add_wallet_methods() {
    const RpcParam<std::string> account{"account", "The name of an account.", "miner"};
    rpc_.method(
        "getbalance", about("getbalance", "The balance of an account."),
        [this](const RpcCall&, const std::string& name) { return chain_.balance(name); }, account);
    rpc_.method(
        "sendtoaddress",
        about("sendtoaddress", "Sends an amount to an account. Returns the transaction's id."),
        [this](const RpcCall&, const std::string& to, std::int64_t amount,
               const std::string& from) -> RpcResult<std::string> {
          const auto id = chain_.send(from, to, amount);
          if (!id) return rpc_error(-6, "Insufficient funds");
          return *id;
        },
        RpcParam<std::string>{"address", "The receiving account."},
        RpcParam<std::int64_t>{"amount", "Whole coins."}, account);
    rpc_.method("getrawmempool", about("getrawmempool", "The ids of the transactions that wait."),
                [this](const RpcCall&) {
                  std::vector<std::string> ids;
                  for (const Transaction& one : chain_.mempool()) ids.push_back(one.id);
                  return ids;
                });
    rpc_.method("getmempoolinfo", about("getmempoolinfo", "How many transactions wait."),
                [this](const RpcCall&) { return JsonObject().add("size", chain_.mempool().size()).json(); });
  }

  void add_peer_methods() {
    rpc_.method("getpeerinfo", about("getpeerinfo", "The peers."), [this](const RpcCall&) {
      std::vector<Json> peers;
      for (const std::string& address : chain_.peers())
        peers.push_back(JsonObject().add("addr", address).json());
      return peers;
    });
    rpc_.method("getconnectioncount", about("getconnectioncount", "The number of peers."),
                [this](const RpcCall&) { return chain_.peers().size(); });
    rpc_.method(
        "addnode", about("addnode", "Adds or removes a peer."),
        [this](const RpcCall&, const std::string& node, const std::string& command) -> RpcResult<Json> {
          if (command != "add" && command != "remove") return rpc_error(-8, "command: add or remove");
          const bool done = command == "add" ? chain_.connect(node) : chain_.disconnect(node);
          if (!done && command == "add") return rpc_error(-23, "Node already added");
          if (!done) return rpc_error(-24, "Node could not be removed");
          return Json{};
        },
        RpcParam<std::string>{"node", "Its address."},
        RpcParam<std::string>{"command", "add or remove", "add"});
  }

  void add_mining_methods() {
    rpc_.method("getmininginfo", about("getmininginfo", "The state of mining."), [this](const RpcCall&) {
      return JsonObject()
          .add("blocks", chain_.height())
          .add("pooledtx", chain_.mempool().size())
          .add("mining", mining_.load() > 0)
          .json();
    });
    // Takes long, so it runs on a worker, and ends when its caller is gone.
    rpc_.method(
        "generate", about("generate", "Mines blocks. Returns their hashes.", RpcRun::worker),
        [this](const RpcCall& call, std::uint32_t count, const std::string& account) {
          if (mining_++ == 0) tell_mining(true);
          std::vector<std::string> hashes;
          const auto stop = [&] { return stopping || call.is_cancelled(); };
          while (hashes.size() < count && !stop()) {
            if (const auto block = chain_.mine(account, stop)) hashes.push_back(block->hash);
          }
          if (--mining_ == 0) tell_mining(false);
          return hashes;
        },
        RpcParam<std::uint32_t>{"nblocks", "How many blocks."},
        RpcParam<std::string>{"account", "Who gets the reward.", "miner"});
  }
  void tell_mining(bool active) {
    rpc_.publish(server_, "mining", JsonObject().add("active", active).json());
  }

  const Config& config_;
  std::atomic<int> mining_ = 0;
  // Destroyed in reverse order: workers use the chain and the server, until the Rpc has waited for them.
  Chain chain_;
  fanfare::Server server_;
  fanfare::Rpc rpc_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto config = read_config(argc, argv);
  if (!config) {
    std::fprintf(stderr, "node: %s\n", config.error().c_str());
    return 1;
  }
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { stopping = true; });
  return Node(*config).run();
}
