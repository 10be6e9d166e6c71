#pragma once
// The command line as plain data. serve/flags.h interprets it (valid combinations of flags, what is served),
// so that neither file needs the other's library.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "admin/flags.h"
#include "size/flags.h"

namespace fanfare::app {

// Flags that were not given are empty. Numbers are in range; durations are still text.
struct ServeArguments {
  std::optional<std::string> config;
  std::vector<std::string> upstreams;
  std::optional<std::string> upstream_timeout;
  bool dev = false;

  std::optional<std::string> host;
  bool allow_insecure_public = false;
  std::optional<std::uint32_t> http_port;
  std::optional<std::uint32_t> ws_port;
  std::optional<std::uint64_t> chain_id;
  std::optional<std::string> log_level;
  std::optional<std::string> log_format;
  std::optional<std::uint32_t> threads;
  std::optional<std::string> loop;
  std::optional<std::string> admin_socket;
  std::optional<std::string> web_dir;
  bool no_web = false;

  std::vector<std::string> allowed_hosts;
  std::vector<std::string> allowed_origins;
  std::vector<std::string> allowed_methods;
  std::vector<std::string> denied_methods;

  std::optional<std::uint64_t> max_connections;
  std::optional<std::uint64_t> max_subscriptions;
  std::optional<std::string> ping_interval;
  std::optional<std::string> pong_timeout;
  std::optional<std::string> shutdown_timeout;

  std::optional<std::string> dev_block_time;
  std::optional<std::uint64_t> dev_seed;
  std::optional<std::uint64_t> dev_transactions;
  std::optional<std::uint64_t> dev_reorg_every;
  std::optional<std::uint64_t> dev_reorg_depth;
  std::optional<std::uint64_t> dev_sync_blocks;
};

struct CheckArguments {
  std::string file;
  bool system = false;
  std::optional<std::string> against;  // another file, of a gateway that runs
  std::optional<std::string> web_dir;
  bool no_web = false;
};

struct ConnectArguments {
  std::string url;
  std::vector<std::string> texts;  // -x
  std::optional<std::string> wait;
  std::optional<std::uint64_t> count;
  bool binary = false;
  bool verbose = false;
  bool reconnect = false;

  std::vector<std::string> headers;
  std::vector<std::string> subprotocols;
  std::string origin;
  std::string proxy;
  std::string ca_file;
  bool insecure = false;
  bool no_deflate = false;
};

// Numbers are in range; durations are still text.
struct BenchArguments {
  std::string url;
  std::uint64_t connections = 100;
  std::uint64_t in_flight = 1;
  std::uint64_t size = 20;
  double rate = 0;  // 0: as fast as answers arrive
  std::string duration = "10s";
  std::string ramp = "0s";
  std::string subscribe;  // empty: echoes
  bool broadcast = false;
  bool handshakes = false;
  bool raw = false;
  std::string deflate;  // "takeover", "no-takeover"; empty: no compression
  std::string loop = "auto";
  std::string ca_file;
  bool insecure = false;
  bool json = false;
  bool quiet = false;
};

struct CanvasExportArguments {
  std::string source;  // a file, or the URL of a room
  std::string output;
  std::optional<std::string> at;  // times are still text
  std::optional<std::string> from_time;
  std::optional<std::string> to_time;
  std::optional<std::string> every;
  std::optional<std::uint64_t> frames;
  std::optional<std::uint32_t> rate;  // frames a second
  std::optional<std::string> area;
  std::string token;
};

using Command = std::variant<ServeArguments, CheckArguments, ConnectArguments, BenchArguments,
                             CanvasExportArguments, AdminArguments, TopArguments, SizeArguments>;

// The program exits without running a command: help or version (status 0), or an invalid command line (status
// 2).
struct ExitRequest {
  int status = 0;
  std::string text;  // for standard output if the status is 0, for standard error otherwise
};

std::expected<Command, ExitRequest> parse_arguments(int count, const char* const* arguments);

}  // namespace fanfare::app
