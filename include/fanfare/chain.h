#pragma once
// The JSON-RPC and eth_subscribe side of an Ethereum node, for a node that has a chain and no server:
//
//   fanfare::ChainServer server({.chain_id = 7}, [&](std::string_view method, std::string_view params) {
//     return node.call(method, params);                    // eth_*, net_*, web3_*: the node's own methods
//   });
//   if (auto started = server.start(); !started) return fail(started.error());
//   ...
//   server.on_new_block(header_json);                      // as the chain goes on, from any thread
//   server.on_logs(logs_json);
//
// HTTP on one port, WebSocket on another, one state behind both. Subscribers of newHeads, logs,
// newPendingTransactions and syncing are served from the hooks by the chain view that follows remote nodes,
// too: heads in order and none left out, logs with their blocks, `removed: true` after a reorg.
//
// Link with fanfare::chain.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/options.h"

namespace fanfare {

// An error that a JSON-RPC method answers with.
struct CallError {
  int code = -32603;
  std::string message = {};
  std::string data_json = {};  // raw; "": none
};

// A method's `result`, raw JSON.
using CallResult = Expected<std::string, CallError>;

// `params_json` is raw and "" when there were none. Called on one thread of the server's own, one call after
// the other: what takes long holds up the others. For a method it does not know it returns code -32601. An
// exception is logged (handler_threw) and answered with -32603.
using CallHandler = std::function<CallResult(std::string_view method, std::string_view params_json)>;

struct ChainOptions {
  std::string host = "127.0.0.1";
  std::uint16_t http_port = 8545;       // 0: the system chooses
  std::uint16_t websocket_port = 8546;  // as http_port; not the same one
  std::optional<Tls> tls = {};          // on both
  std::uint64_t chain_id = 1;
  std::size_t connections_max = 1000;                  // WebSockets; one more is refused with 503
  std::size_t subscriptions_per_connection_max = 100;  // one more is answered -32005
  Heartbeat heartbeat = {.ping_interval = std::chrono::seconds(30), .pong_timeout = std::chrono::seconds(10)};
  std::uint32_t window_blocks = 256;  // how deep a reorg is reported exactly: 1 to 65536
  std::size_t threads = 0;            // loops, at most 1024; 0: one a core

  // Which names in a request's Host are served; others are answered 403 before a method runs. Each is a name
  // or address without a port, "*.example.com" for the names below one, "loopback" for localhost and the
  // loopback addresses, or "*" for any. Empty: "loopback" where `host` is a loopback address, else any.
  std::vector<std::string> allowed_hosts = {};
  // Which pages may ask, by the Origin that browsers send; others are answered 403. Each is an origin with
  // its scheme ("https://app.example"), "loopback", or "*" for any. Programs send no Origin and are served.
  // Empty: pages of loopback where `host` is a loopback address, else any.
  std::vector<std::string> allowed_origins = {};
  // Which methods may be called: the name of one, or the beginning of one and a '*'. The longest pattern that
  // fits decides, and of two the denying one. Where none fits, what administers a node (admin_*, personal_*,
  // debug_setHead, ...) is refused with -32601, and what uses a node's keys (eth_sendTransaction, eth_sign,
  // ...) or changes a development chain (anvil_*, evm_*, ...) is open on loopback only. The handler is not
  // called for what is refused.
  std::vector<std::string> allowed_methods = {};
  std::vector<std::string> denied_methods = {};
};

class FANFARE_EXPORT ChainServer {
 public:
  // Nothing is opened before start(), which also says what is wrong with the options.
  ChainServer(const ChainOptions& options, CallHandler answer);
  ChainServer(const ChainServer&) = delete;
  ChainServer& operator=(const ChainServer&) = delete;
  // stop() without time to drain, when it is still running.
  ~ChainServer();

  // The handler is asked for eth_getBlockByNumber("latest"): subscribers are told of what comes after that
  // block. Errors: bad_option (an address, a port, a limit, a pattern, no handler), tls (the certificate or
  // the key), system (a port that is taken, with its errno), wrong_state (it runs, or was stopped: a server
  // starts once). After any other error it may be started again. Any thread.
  [[nodiscard]] Expected<void, Error> start();
  // Refuses new connections, closes the open ones with 1012 and waits for them, 5 seconds at most. Nothing
  // when it does not run, as before start() or the second time. Any thread but the handler's.
  void stop();

  // "127.0.0.1:8545", with the port the system chose; "" before start() and after stop(). Any thread.
  std::string http_address() const;
  std::string websocket_address() const;

  // The hooks. Any thread; before start() and after stop() they do nothing. What one thread tells is taken in
  // its order, and nothing waits. Text that cannot be used is ignored and counted, and the first of a minute
  // are logged.

  // A block became the head: its header (or the whole block) as eth_getBlockByNumber shows it. Of several at
  // once, oldest first; after a reorg the blocks of the new branch. What was skipped is asked for.
  void on_new_block(std::string_view block_json);
  // All logs of a block, in one call, before or after its on_new_block: an array as eth_getLogs shows them.
  // Only a block whose logsBloom is not empty needs it; when it stays out, eth_getLogs is asked. Logs with
  // removed: true are not needed: what a reorg takes back is known.
  void on_logs(std::string_view logs_json);
  // "0x.." and 64 digits. Whole transactions are asked for (eth_getTransactionByHash) while somebody wants
  // them.
  void on_pending_transaction(std::string_view hash);
  // As eth_syncing answers: `false`, or the object. Until the first time eth_syncing is asked.
  void on_sync_status(std::string_view status_json);

  // Blocks, logs, hashes and statuses given to the hooks that could not be used. Any thread.
  std::uint64_t unreadable_hook_values() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare
