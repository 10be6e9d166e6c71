// A node with its JSON-RPC over HTTP, WebSocket and a Unix socket: node FILE. `help` lists the methods, and
// `rpc.discover` describes them for programs. docs/embedding.md walks through it.

#include <fanfare/fanfare.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "chain.h"
#include "config.h"

using fanfare::rpc_error, fanfare::RpcCall, fanfare::RpcParam, fanfare::RpcResult;

namespace {

std::atomic<bool> stopping = false;

int fail(const std::string& message) {
  std::fprintf(stderr, "node: %s\n", message.c_str());
  return 1;
}

class Node {
 public:
  Node(Config& config, const fanfare::BitcoinAccess& access)
      : chain_([this](std::string_view event, const Json& value) { rpc_.publish(server_, event, value); }),
        server_(options(config)),
        rpc_({.title = "node",
              .version_1 = true,  // for clients of Bitcoin Core
              .authenticate = access,
              .workers = config.numbers["rpcthreads"],
              .work_queue_max = config.numbers["rpcworkqueue"],
              .binary = &answer_binary,
              .deflate = fanfare::Deflate{}}) {
    const bool all = config.numbers["rpcbroadcast"] == 1;
    rpc_.event<Json>("newblock", {.description = "A block was added to the chain.", .broadcast = all});
    rpc_.event<Json>("mempooltx", {.description = "A transaction waits.", .broadcast = all});
    rpc_.event<Json>("peer", {.description = "A peer came or went.", .broadcast = all});
    rpc_.event<Json>("mining", {.description = "Mining began or ended.", .broadcast = all});
    add_chain_methods();
    add_wallet_methods();
    add_peer_methods();
    add_mining_methods();
    rpc_.serve(server_, "/");
  }

  // The exit code.
  int run(std::chrono::seconds mine_every) {
    if (const auto started = server_.start(); !started) return fail(started.error().message);
    for (const std::string& address : server_.addresses()) std::printf("%s\n", address.c_str());
    std::fflush(stdout);
    auto next = std::chrono::steady_clock::now();
    while (!stopping) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (mine_every.count() == 0 || std::chrono::steady_clock::now() < next) continue;
      next = std::chrono::steady_clock::now() + mine_every;
      chain_.mine("miner", [] { return stopping.load(); });
    }
    server_.stop();
    return 0;
  }

 private:
  static fanfare::ServerOptions options(Config& config) {
    const std::string host = config.texts["rpcbind"];
    fanfare::ServerOptions options{.host = host, .port = config.numbers["rpcport"]};
    fanfare::Listener websocket{.host = host, .port = config.numbers["rpcwebsocketport"]};
    if (const std::string& file = config.texts["rpcsslcertificatechainfile"]; !file.empty()) {
      websocket.tls = {.certificate_file = file, .key_file = config.texts["rpcsslprivatekeyfile"]};
      // The library refuses to serve other machines without TLS.
      if (!host.starts_with("127.") && host != "::1") options.tls = websocket.tls;
    }
    options.more_listeners.push_back(websocket);
    if (const std::string& path = config.texts["rpcunixsocket"]; !path.empty()) {
      options.more_listeners.push_back({.unix_path = path, .unix_mode = 0600});
    }
    options.limits.message_bytes_max = std::size_t{1} << 20;
    return options;
  }

  // Binary frames are the node's own protocol: it answers with their hash.
  static void answer_binary(fanfare::Session& session, fanfare::Bytes bytes) {
    session.send(sha256_hex({bytes.begin(), bytes.end()}));
  }

  void add_chain_methods() {
    const auto tip = [this] {
      return chain_.read([](const ChainState& state) { return state.blocks.back(); });
    };
    rpc_.method("getblockcount", {.description = "The height of the newest block."},
                [tip](const RpcCall&) { return tip().height; });
    rpc_.method("getbestblockhash", {.description = "The hash of the newest block."},
                [tip](const RpcCall&) { return tip().hash; });
    rpc_.method(
        "getblockhash", {.description = "The hash of the block at a height."},
        [this](const RpcCall&, std::uint64_t height) {
          return chain_.read([&](const ChainState& state) -> RpcResult<std::string> {
            if (height < state.blocks.size()) return state.blocks[height].hash;
            return rpc_error(-8, "Block height out of range");
          });
        },
        RpcParam<std::uint64_t>{"height", "The height of the block."});
    rpc_.method(
        "getblock", {.description = "A block with its transactions."},
        [this](const RpcCall&, const std::string& hash) {
          return chain_.read([&](const ChainState& state) -> RpcResult<Json> {
            const auto found = std::ranges::find(state.blocks, hash, &Block::hash);
            if (found != state.blocks.end()) return found->json();
            return rpc_error(-5, "Block not found");
          });
        },
        RpcParam<std::string>{"blockhash", "The hash of the block."});
    rpc_.method("stop", {.description = "Stops the node."}, [](const RpcCall&) {
      stopping = true;
      return std::string("node stopping");
    });
  }

  void add_wallet_methods() {
    const RpcParam<std::string> account{"account", "The name of an account.", "miner"};
    rpc_.method(
        "getbalance", {.description = "The balance of an account."},
        [this](const RpcCall&, const std::string& name) {
          return chain_.read([&](const ChainState& state) {
            return state.balances.contains(name) ? state.balances.at(name) : 0;
          });
        },
        account);
    rpc_.method(
        "sendtoaddress", {.description = "Sends an amount to an account. Returns the transaction's id."},
        [this](const RpcCall&, const std::string& to, std::int64_t amount,
               const std::string& from) -> RpcResult<std::string> {
          if (const auto id = chain_.send(from, to, amount)) return *id;
          return rpc_error(-6, "Insufficient funds");
        },
        RpcParam<std::string>{"address", "The receiving account."},
        RpcParam<std::int64_t>{"amount", "Whole coins."}, account);
    rpc_.method("getrawmempool", {.description = "The ids of waiting transactions."}, [this](const RpcCall&) {
      std::vector<std::string> ids;
      chain_.read([&](const ChainState& state) {
        for (const Transaction& one : state.mempool) ids.push_back(one.id);
      });
      return ids;
    });
  }

  void add_peer_methods() {
    const auto peers = [this] { return chain_.read([](const ChainState& state) { return state.peers; }); };
    rpc_.method("getpeerinfo", {.description = "The peers."}, [peers](const RpcCall&) {
      std::vector<Json> infos;
      for (const std::string& peer : peers()) infos.push_back(JsonObject().add("addr", peer).json());
      return infos;
    });
    rpc_.method("getconnectioncount", {.description = "The number of peers."},
                [peers](const RpcCall&) { return peers().size(); });
    rpc_.method(
        "addnode", {.description = "Adds or removes a peer."},
        [this](const RpcCall&, const std::string& node, const std::string& command) -> RpcResult<Json> {
          if (command != "add" && command != "remove") return rpc_error(-8, "command: add or remove");
          if (chain_.connect(node, command == "add")) return Json{};
          if (command == "add") return rpc_error(-23, "Node already added");
          return rpc_error(-24, "Node could not be removed");
        },
        RpcParam<std::string>{"node", "Its address."},
        RpcParam<std::string>{"command", "add or remove", "add"});
  }

  void add_mining_methods() {
    rpc_.method("getmininginfo", {.description = "The state of mining."}, [this](const RpcCall&) {
      JsonObject info;
      chain_.read([&](const ChainState& state) {
        info.add("blocks", state.blocks.size() - 1).add("pooledtx", state.mempool.size());
      });
      return info.add("mining", mining_.load() > 0).json();
    });
    // Takes long, so it runs on a worker, and ends when its caller is gone.
    const fanfare::RpcMethod about{.description = "Mines blocks. Returns their hashes.",
                                   .run = fanfare::RpcRun::worker,
                                   .timeout = std::chrono::minutes(1)};
    rpc_.method(
        "generate", about,
        [this](const RpcCall& call, std::uint32_t count, const std::string& account) {
          if (mining_++ == 0) publish_mining(true);
          std::vector<std::string> hashes;
          const auto stop = [&] { return stopping || call.is_cancelled(); };
          while (hashes.size() < count && !stop()) {
            if (const auto block = chain_.mine(account, stop)) hashes.push_back(block->hash);
          }
          if (--mining_ == 0) publish_mining(false);
          return hashes;
        },
        RpcParam<std::uint32_t>{"nblocks", "How many blocks."},
        RpcParam<std::string>{"account", "Who gets the reward.", "miner"});
  }
  void publish_mining(bool active) {
    rpc_.publish(server_, "mining", JsonObject().add("active", active).json());
  }

  std::atomic<int> mining_ = 0;
  // Destroyed in reverse order: workers use the chain and the server, until the Rpc has waited for them.
  Chain chain_;
  fanfare::Server server_;
  fanfare::Rpc rpc_;
};

}  // namespace

int main(int argc, char** argv) {
  auto config = Config::read(argc > 1 ? argv[1] : "/dev/null");
  if (!config) return fail(config.error());
  const auto access = fanfare::BitcoinAccess::make(config->access);
  if (!access) return fail(access.error().message);
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { stopping = true; });
  return Node(*config, *access).run(std::chrono::seconds(config->numbers["mineevery"]));
}
