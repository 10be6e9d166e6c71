#pragma once
// The JSON-RPC and eth_subscribe server for an Ethereum node that has a chain but no server of its own:
//
//   fanfare::ChainServer server({.chain_id = 7}, [&](std::string_view method, std::string_view params) {
//     return node.call(method, params);                    // eth_*, net_*, web3_*: the node's own methods
//   });
//   if (auto started = server.start(); !started) return fail(started.error());
//   ...
//   server.on_new_block(header_json);                      // as the chain goes on, from any thread
//   server.on_logs(logs_json);
//
// HTTP and WebSocket listen on separate ports and share one state. Subscribers of all types are served, by
// the chain view that also follows remote nodes. Heads arrive in order without gaps, logs arrive with their
// blocks, and a reorg sends logs with `removed: true`. transactionReceipts needs eth_getBlockReceipts or
// eth_getTransactionReceipt from the handler; newFinalizedHeads needs the block tag "finalized".
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

// The error that a JSON-RPC method returns.
struct CallError {
  int code = -32603;
  std::string message = {};
  std::string data_json = {};  // raw JSON; "": no data
};

// A method's `result`, raw JSON.
using CallResult = Expected<std::string, CallError>;

// `params_json` is raw JSON, or "" if the request has no params. The server calls the handler on one thread
// of its own, one call at a time; a slow call delays all others. Return code -32601 for an unknown method. An
// exception is logged (handler_threw) and answered with -32603.
using CallHandler = std::function<CallResult(std::string_view method, std::string_view params_json)>;

struct ChainOptions {
  std::string host = "127.0.0.1";
  std::uint16_t http_port = 8545;       // 0: the system chooses
  std::uint16_t websocket_port = 8546;  // as http_port, but a different port
  std::optional<Tls> tls = {};          // for both ports
  std::uint64_t chain_id = 1;
  std::size_t connections_max = 1000;                  // WebSockets; further ones are rejected with 503
  std::size_t subscriptions_per_connection_max = 100;  // further ones are answered with -32005
  Heartbeat heartbeat = {.ping_interval = std::chrono::seconds(30), .pong_timeout = std::chrono::seconds(10)};
  std::uint32_t window_blocks = 256;  // deepest reorg that is reported exactly: 1 to 65536
  std::size_t threads = 0;            // loops, at most 1024; 0: one per core

  // Accepted names in a request's Host; other requests are answered with 403 before a method runs. Each entry
  // is a name or address without a port, "*.example.com" for all names below it, "loopback" for localhost and
  // the loopback addresses, or "*" for any. Empty: "loopback" if `host` is a loopback address, otherwise any.
  std::vector<std::string> allowed_hosts = {};
  // Accepted values of the Origin that browsers send; other requests are answered with 403. Each entry is an
  // origin with its scheme ("https://app.example"), "loopback", or "*" for any. Requests without an Origin,
  // as programs send them, are accepted. Empty: loopback origins if `host` is a loopback address, otherwise
  // any.
  std::vector<std::string> allowed_origins = {};
  // Methods that may be called. Each entry is a method name, or a prefix followed by '*'. The longest
  // matching pattern decides; on a tie, the denying one does. If none matches, node administration (admin_*,
  // personal_*, debug_setHead, ...) is rejected with -32601. Methods that use the node's keys
  // (eth_sendTransaction, eth_sign, ...) or change a development chain (anvil_*, evm_*, ...) are then allowed
  // on loopback only. The handler is not called for rejected methods.
  std::vector<std::string> allowed_methods = {};
  std::vector<std::string> denied_methods = {};
};

class FANFARE_EXPORT ChainServer {
 public:
  // Opens nothing; start() checks the options and opens the ports.
  ChainServer(const ChainOptions& options, CallHandler answer);
  ChainServer(const ChainServer&) = delete;
  ChainServer& operator=(const ChainServer&) = delete;
  // Calls stop() without time to drain if the server is still running.
  ~ChainServer();

  // Calls the handler for eth_getBlockByNumber("latest"); subscribers are notified of the blocks after that
  // one. Errors: bad_option (an address, port, limit or pattern, or no handler); tls (the certificate or the
  // key); system (for example a port in use, with its errno). wrong_state: already running or stopped, since
  // a server starts only once. After any other error, start() may be called again. Any thread.
  [[nodiscard]] Expected<void, Error> start();
  // Rejects new connections, closes open ones with 1012 and waits up to 5 seconds for them. Does nothing if
  // the server is not running: before start(), or on a second call. Any thread except the handler's.
  void stop();

  // "127.0.0.1:8545", with the actual port; "" before start() and after stop(). Any thread.
  std::string http_address() const;
  std::string websocket_address() const;

  // The hooks. Any thread may call them; before start() and after stop() they do nothing. They never block,
  // and the calls of one thread are processed in order. Invalid text is ignored and counted; the first few
  // per minute are logged.

  // Reports a new head. Pass its header, or the whole block, as eth_getBlockByNumber returns it. For
  // several blocks at once, pass the oldest first; after a reorg, pass the blocks of the new branch. Skipped
  // blocks are fetched through the handler.
  void on_new_block(std::string_view block_json);
  // All logs of one block in one call, before or after its on_new_block: an array as eth_getLogs returns it.
  // Only a block whose logsBloom is not empty needs this call; if it is missing, the handler is called for
  // eth_getLogs. Logs with removed: true are not needed, since the server knows which logs a reorg removes.
  void on_logs(std::string_view logs_json);
  // "0x.." and 64 digits. Whole transactions are fetched (eth_getTransactionByHash) only while a subscriber
  // needs them.
  void on_pending_transaction(std::string_view hash);
  // As eth_syncing returns it: `false`, or the object. Until the first call, eth_syncing is called instead.
  void on_sync_status(std::string_view status_json);

  // Number of invalid blocks, logs, hashes and statuses passed to the hooks. Any thread.
  std::uint64_t unreadable_hook_values() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare
