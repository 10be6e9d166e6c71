// A node with its JSON-RPC over HTTP, WebSocket and a Unix socket: node FILE. `help` lists the methods, and
// `rpc.discover` describes them for programs. docs/embedding.md walks through it.

#include <fanfare/fanfare.h>
#include <fanfare/store.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

#include "chain.h"

using fanfare::rpc_error, fanfare::RpcCall, fanfare::RpcParam, fanfare::RpcResult;

namespace {

// NAME=VALUE on each line, '#' begins a comment. Names and meaning are those of Bitcoin Core, where it has them; those of
// BitcoinAccessOptions are valid, too.
struct Config {
  std::map<std::string, std::string> texts{{"rpcbind", "127.0.0.1"},
                                           {"rpcunixsocket", ""},  // "": none
                                           {"rpcsslcertificatechainfile", ""},
                                           {"rpcsslprivatekeyfile", ""},
                                           {"eventfile", ""}};  // history on disk; "": in memory only
  std::map<std::string, std::uint16_t> numbers{
      {"rpcport", 8332},           // HTTP and WebSocket
      {"rpcwebsocketport", 8333},  // the same; with a certificate it is WSS
      {"rpcthreads", 4},
      {"rpcworkqueue", 64},
      {"rpccallrate", 0},   // calls of a user in a second; 0: any number
      {"rpcbroadcast", 0},  // 1: every WebSocket gets all events
      {"events", 1000},     // of each kind, that the history keeps
      {"mineevery", 0}};    // seconds; 0: only on `generate`
  fanfare::BitcoinAccessOptions access{};

  bool set(const std::string& name, const std::string& value) {
    if (texts.contains(name)) return texts[name] = value, true;
    if (!numbers.contains(name)) return access.set(name, value);
    const char* const end = value.data() + value.size();
    const auto read = std::from_chars(value.data(), end, numbers[name]);
    return read.ec == std::errc() && read.ptr == end;
  }

  static fanfare::Expected<Config, std::string> read(const std::string& path) {
    Config config;
    std::ifstream file(path);
    if (!file) return fanfare::Unexpected("cannot read " + path);
    for (std::string line; std::getline(file >> std::ws, line);) {
      line = line.substr(0, line.find('#'));
      line.erase(line.find_last_not_of(" \t\r") + 1);
      if (line.empty()) continue;
      const std::string name = line.substr(0, line.find('='));
      // The value is not shown: it may be a secret.
      if (name == line || !config.set(name, line.substr(name.size() + 1)))
        return fanfare::Unexpected("unknown or invalid: " + name);
    }
    const bool has_password = !config.access.rpcpassword.empty() || !config.access.rpcauth.empty();
    if (!has_password && config.access.rpccookiefile.empty()) config.access.rpccookiefile = ".cookie";
    return config;
  }
};

std::atomic<bool> stopping = false;

int fail(const std::string& message) {
  return std::fprintf(stderr, "node: %s\n", message.c_str()), 1;
}

class Node {
 public:
  Node(Config& config, const fanfare::BitcoinAccess& access, const std::optional<fanfare::Store>& store)
      : chain_([this](std::string_view event, const Json& value) { rpc_.publish(server_, event, value); }),
        server_(options(config)),
        rpc_({.title = "node",
              .version_1 = true,  // for clients of Bitcoin Core
              .authenticate = access,
              .per_identity = {.requests = {.per_second = config.numbers["rpccallrate"]}},
              .workers = config.numbers["rpcthreads"],
              .work_queue_max = config.numbers["rpcworkqueue"],
              // Binary frames are the node's own protocol: it answers with their hash.
              .binary = [](auto& session,
                           auto bytes) { session.send(sha256_hex({bytes.begin(), bytes.end()})); },
              .deflate = fanfare::Deflate{}}) {
    const std::size_t kept = config.numbers["events"];
    const bool all = config.numbers["rpcbroadcast"] == 1;
    if (store) fanfare::Hub(server_).set_store(*store);
    const auto event = [&](const char* name, const char* description) {
      fanfare::RpcEvent about{
          .description = description, .broadcast = all, .history = {.messages_max = kept}};
      if (store) about.stored = {.messages_max = kept, .bytes_max = 64 << 20};
      rpc_.event<Json>(name, about);
    };
    event("newblock", "A block was added to the chain.");
    event("mempooltx", "A transaction waits.");
    event("peer", "A peer came or went.");
    event("mining", "Mining began or ended.");
    add_chain_and_wallet_methods();
    add_peer_and_mining_methods();
    rpc_.serve(server_, "/");
  }

  // The exit code.
  int run(std::chrono::seconds mine_every) {
    if (const auto started = server_.start(); !started) return fail(started.error().message);
    for (const std::string& address : server_.addresses()) std::printf("%s\n", address.c_str());
    std::fflush(stdout);
    auto next = std::chrono::steady_clock::now();
    for (; !stopping; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
      if (mine_every.count() == 0 || std::chrono::steady_clock::now() < next) continue;
      next += mine_every;
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
    if (const std::string& path = config.texts["rpcunixsocket"]; !path.empty())
      options.more_listeners.push_back({.unix_path = path, .unix_mode = 0600});
    options.limits.message_bytes_max = std::size_t{1} << 20;
    return options;
  }

  void add_chain_and_wallet_methods() {
    rpc_.method("getblockcount", {.description = "The height of the newest block."},
                [this](const RpcCall&) { return chain_.tip().height; });
    rpc_.method("getbestblockhash", {.description = "The hash of the newest block."},
                [this](const RpcCall&) { return chain_.tip().hash; });
    rpc_.method(
        "getblockhash", {.description = "The hash of the block at a height."},
        [this](const RpcCall&, std::uint64_t height) -> RpcResult<std::string> {
          if (const auto found = chain_.find([&](const Block& one) { return one.height == height; }))
            return found->hash;
          return rpc_error(-8, "Block height out of range");
        },
        RpcParam<std::uint64_t>{"height", "The height of the block."});
    rpc_.method(
        "getblock", {.description = "A block with its transactions."},
        [this](const RpcCall&, const std::string& hash) -> RpcResult<Json> {
          if (const auto found = chain_.find([&](const Block& one) { return one.hash == hash; }))
            return found->json();
          return rpc_error(-5, "Block not found");
        },
        RpcParam<std::string>{"blockhash", "The hash of the block."});
    rpc_.method("stop", {.description = "Stops the node."}, [](const RpcCall&) {
      stopping = true;
      return std::string("node stopping");
    });
    const RpcParam<std::string> account{"account", "The name of an account.", "miner"};
    rpc_.method(
        "getbalance", {.description = "The balance of an account."},
        [this](const RpcCall&, const std::string& name) { return chain_.balance(name); }, account);
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
      for (const Transaction& one : chain_.mempool()) ids.push_back(one.id);
      return ids;
    });
  }

  void add_peer_and_mining_methods() {
    rpc_.method("getpeerinfo", {.description = "The peers."}, [this](const RpcCall&) {
      std::vector<Json> infos;
      for (const std::string& peer : chain_.peers()) infos.push_back(JsonObject().add("addr", peer).json());
      return infos;
    });
    rpc_.method("getconnectioncount", {.description = "The number of peers."},
                [this](const RpcCall&) { return chain_.peers().size(); });
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
    rpc_.method("getmininginfo", {.description = "The state of mining."}, [this](const RpcCall&) {
      JsonObject info;
      info.add("blocks", chain_.tip().height).add("pooledtx", chain_.mempool().size());
      return info.add("mining", mining_.load() > 0).json();
    });
    // Takes long, so it runs on a worker, and ends when its caller is gone.
    const fanfare::RpcMethod about{.description = "Mines blocks. Returns their hashes.",
                                   .run = fanfare::RpcRun::worker,
                                   .cost = 10,  // of rpccallrate
                                   .timeout = std::chrono::minutes(1)};
    rpc_.method(
        "generate", about,
        [this](const RpcCall& call, std::uint32_t count, const std::string& account) {
          const auto active = [](bool is_active) { return JsonObject().add("active", is_active).json(); };
          if (mining_++ == 0) rpc_.publish(server_, "mining", active(true));
          std::vector<std::string> hashes;
          const auto stop = [&] { return stopping || call.is_cancelled(); };
          while (hashes.size() < count && !stop()) {
            if (const auto block = chain_.mine(account, stop)) hashes.push_back(block->hash);
          }
          if (--mining_ == 0) rpc_.publish(server_, "mining", active(false));
          return hashes;
        },
        RpcParam<std::uint32_t>{"nblocks", "How many blocks."},
        RpcParam<std::string>{"account", "Who gets the reward.", "miner"});
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
  std::optional<fanfare::Store> store;
  if (const std::string& file = config->texts["eventfile"]; !file.empty()) {
    const auto opened = fanfare::Store::open({.path = file});
    if (!opened) return fail(opened.error().message);
    store = *opened;
  }
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { stopping = true; });
  return Node(*config, *access, store).run(std::chrono::seconds(config->numbers["mineevery"]));
}
