#include "arguments.h"

#include <sstream>

#include <CLI/CLI.hpp>

#include "help_text.h"
#include "version_text.h"

namespace fanfare::app {
namespace {

constexpr const char* kAbout =
    "A WebSocket and JSON-RPC gateway for EVM chains: one poll of a node, thousands of subscribers.";

constexpr const char* kExamples = R"(Examples:
  fanfare serve
      A development chain: HTTP on 127.0.0.1:8545, WebSocket on 127.0.0.1:8546.
  fanfare serve --upstream http://10.0.0.7:8545
      The same two ports, with that node behind them.
  fanfare serve --config gateway.yaml
      Projects and networks of a file, all on one port at /{project}/evm/{chainId}.
  fanfare check gateway.yaml
      Only reads the file: says what it means, or what is wrong and where.
  fanfare size --clients 1M
      How many machines a million clients need, and what breaks first.
  fanfare connect ws://127.0.0.1:8546
      A prompt: what is typed is sent, what comes is shown.

'fanfare COMMAND --help' tells more.)";

constexpr const char* kCanvasExportExamples = R"(Examples:
  fanfare canvas export http://127.0.0.1:8545/canvas/main -o now.png
      The room of a server that runs.
  fanfare canvas export main.canvas --at 2026-11-27T08:00:00Z -o then.png
      As it was at that time.
  fanfare canvas export main.canvas --frames 500 -o timelapse.png
      From the first to the last pixel: an animated PNG of 20 seconds.
  fanfare canvas export main.canvas --every 1m -o frame-%05d.png
      A picture for each minute, to make a film of.

Times are written 2026-11-27T08:00:00Z, 2026-11-27, or in milliseconds since 1970. Status 0; 1 if the source
or the output fails; 2 for a wrong argument.)";

constexpr const char* kServeExamples = R"(Examples:
  fanfare serve --dev-block-time 200ms --dev-reorg-every 10 --dev-reorg-depth 3
      Five blocks a second, and now and then up to three of them are taken back.
  fanfare serve -u https://node-a.example -u https://node-b.example
      Two nodes of one chain; the second is used when the first fails.
  fanfare serve --upstream http://127.0.0.1:8545 --http-port 9545 --ws-port 9546
      In front of a node on this machine that has the usual ports itself.
  fanfare serve --http-port 0 --ws-port 0
      The system chooses free ports, and the first lines printed say which.

Durations are written 500ms, 30s, 1m30s or 1h. Status 0 after SIGTERM or SIGINT, 2 for a wrong flag or file.)";

constexpr const char* kCheckExamples =
    R"(Status 0: the file is good, and a summary is printed. Status 2: errors, up to 100, each with line, column and
what was expected.
Variables of the environment are filled in as 'serve' does.)";

constexpr const char* kConnectExamples = R"(Examples:
  fanfare connect wss://node.example/ws
      A prompt with history. /ping, /close CODE REASON, /quit and /help are commands.
  fanfare connect -n 4 ws://127.0.0.1:8545 \
      -x '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
      Subscribes, prints the answer and three heads, and leaves.
  fanfare connect --wait 5s ws://127.0.0.1:8545 < requests.txt > answers.txt
      For scripts: a line in is a message, a message is a line out, and all else goes to standard error.
  fanfare connect -v --ca-file own.pem -s chat -H 'Authorization: Bearer abc' \
      wss://127.0.0.1:9443
      Says how long the handshake took, what was agreed on, and the size of each message.

Status 0: closed in order. 1: no connection. 2: a wrong flag or input. 3: the connection was lost, or closed by the
server with another code than 1000. More in docs/connect.md.)";

constexpr const char* kBenchExamples = R"(Examples:
  fanfare bench ws://127.0.0.1:9001 -c 1000 -n 16
      Sixteen messages of 20 bytes under way on each of a thousand connections.
  fanfare bench ws://127.0.0.1:9001 -c 100 --rate 50000 --json
      A message every 20 us whatever the server does, as JSON.
  fanfare bench ws://127.0.0.1:9001 -c 10000 -s 500 --broadcast --rate 20
      Twenty messages a second, each of which ten thousand connections have to get.
  fanfare bench wss://127.0.0.1:9001 --ca-file a.pem -s 1024 --deflate takeover
      Under TLS, JSON, compressed.
  fanfare bench ws://127.0.0.1:8546 -c 5000 -d 60s \
      --subscribe '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
      Counts heads; latency is how much later than the first connection the others get each.
  fanfare bench ws://127.0.0.1:9001 -c 100 --handshakes
      How many connections a second a server accepts, upgrades and closes.

Status 1: a connection could not be made or was lost, or an answer was wrong. See docs/bench.md.)";

// The error message contains the bounds. In the list of flags they would hide more important text.
template <typename Number>
CLI::Validator within(Number min, Number max) {
  return CLI::Range(min, max).description("");
}

void add_source(CLI::App* app, ServeArguments& serve) {
  const std::string source = "What to serve (at most one; --dev if none)";
  app->add_option("-c,--config", serve.config, "YAML file, see docs/configuration.md [env FANFARE_CONFIG]")
      ->type_name("FILE")
      ->group(source);
  app->add_option("-u,--upstream", serve.upstreams, "A node: http, https, ws or wss; again for more nodes")
      ->type_name("URL")
      ->allow_extra_args(false)
      ->group(source);
  app->add_option("--upstream-timeout", serve.upstream_timeout,
                  "What one call to a node may take, 10s if not given")
      ->type_name("DURATION")
      ->group(source);
  app->add_flag("--dev", serve.dev, "The built-in development chain")->group(source);
}

void add_listeners(CLI::App* app, ServeArguments& serve) {
  const std::string listen = "Where (not with --config)";
  app->add_option("--host", serve.host, "Address to listen on, 127.0.0.1 if not given")
      ->type_name("HOST")
      ->group(listen);
  app->add_flag("--allow-insecure-public", serve.allow_insecure_public,
                "Listen on an address of other machines without TLS and access control: in a container, "
                "behind a proxy")
      ->group(listen);
  app->add_option("--http-port", serve.http_port, "JSON-RPC over HTTP, 8545 if not given; 0: any")
      ->type_name("PORT")
      ->check(within(0, 65535))
      ->group(listen);
  app->add_option("--ws-port", serve.ws_port, "WebSocket, 8546 if not given; 0: any")
      ->type_name("PORT")
      ->check(within(0, 65535))
      ->group(listen);
  CLI::Option* web_dir = app->add_option("--web-dir", serve.web_dir,
                                         "The dashboard's files; those beside the program if not given")
                             ->type_name("DIR")
                             ->group(listen);
  app->add_option("--admin-socket", serve.admin_socket,
                  "A Unix socket for 'fanfare admin' and 'fanfare top'; none if not given")
      ->type_name("PATH")
      ->group(listen);
  app->add_flag("--no-web", serve.no_web, "No dashboard at /")->excludes(web_dir)->group(listen);
  app->add_option("--chain-id", serve.chain_id,
                  "1337 for --dev if not given; for --upstream what the node says, which has to be the same")
      ->type_name("N")
      ->check(within(std::uint64_t{1}, std::uint64_t{INT64_MAX}))
      ->group(listen);
}

void add_access(CLI::App* app, ServeArguments& serve) {
  const std::string access = "Who may ask what (not with --config; docs/configuration.md has the patterns)";
  app->add_option("--allowed-host", serve.allowed_hosts,
                  "A name in Host that is served; again for more. On loopback only loopback names, else any")
      ->type_name("HOST")
      ->allow_extra_args(false)
      ->group(access);
  app->add_option(
         "--allowed-origin", serve.allowed_origins,
         "Origins of pages that may send requests; again for more. On loopback only loopback, else any")
      ->type_name("ORIGIN")
      ->allow_extra_args(false)
      ->group(access);
  app->add_option("--allow-method", serve.allowed_methods,
                  "Methods that are refused if not given; again for more")
      ->type_name("PATTERN")
      ->allow_extra_args(false)
      ->group(access);
  app->add_option("--deny-method", serve.denied_methods, "Methods to refuse; again for more")
      ->type_name("PATTERN")
      ->allow_extra_args(false)
      ->group(access);
}

void add_limits(CLI::App* app, ServeArguments& serve) {
  const std::string limits = "Limits (not with --config)";
  app->add_option("--max-connections", serve.max_connections, "WebSocket connections, 10000 if not given")
      ->type_name("N")
      ->check(within(std::uint64_t{1}, std::uint64_t{10'000'000}))
      ->group(limits);
  app->add_option("--max-subscriptions", serve.max_subscriptions, "Of one connection, 100 if not given")
      ->type_name("N")
      ->check(within(std::uint64_t{1}, std::uint64_t{1'000'000}))
      ->group(limits);
  app->add_option("--ping-interval", serve.ping_interval, "30s if not given; 0s: no pings")
      ->type_name("DURATION")
      ->group(limits);
  app->add_option("--pong-timeout", serve.pong_timeout, "10s if not given")
      ->type_name("DURATION")
      ->group(limits);
  app->add_option("--shutdown-timeout", serve.shutdown_timeout, "From SIGTERM to the exit, 10s if not given")
      ->type_name("DURATION")
      ->group(limits);
  app->add_option("--threads", serve.threads, "Event loops, one a core if not given")
      ->type_name("N")
      ->check(within(1, 1024))
      ->group(limits);
}

void add_development(CLI::App* app, ServeArguments& serve) {
  const std::string dev = "The development chain";
  app->add_option("--dev-block-time", serve.dev_block_time, "1s if not given")
      ->type_name("DURATION")
      ->group(dev);
  app->add_option("--dev-seed", serve.dev_seed, "The same seed makes the same chain; 1 if not given")
      ->type_name("N")
      ->group(dev);
  app->add_option("--dev-transactions", serve.dev_transactions,
                  "Made by the chain, at most so many a block; 20 if not given, 0: none")
      ->type_name("N")
      ->check(within(std::uint64_t{0}, std::uint64_t{1000}))
      ->group(dev);
  app->add_option("--dev-reorg-every", serve.dev_reorg_every,
                  "A reorg about every so many blocks, 0 (none) if not given")
      ->type_name("BLOCKS")
      ->check(within(std::uint64_t{0}, std::uint64_t{1'000'000}))
      ->group(dev);
  app->add_option("--dev-reorg-depth", serve.dev_reorg_depth, "At most so deep, 3 if not given")
      ->type_name("BLOCKS")
      ->check(within(std::uint64_t{1}, std::uint64_t{60}))
      ->group(dev);
  app->add_option("--dev-sync-blocks", serve.dev_sync_blocks,
                  "Start so far behind and catch up, 0 (in sync) if not given")
      ->type_name("BLOCKS")
      ->check(within(std::uint64_t{0}, std::uint64_t{1'000'000}))
      ->group(dev);
}

CLI::App* add_serve(CLI::App& root, ServeArguments& serve) {
  CLI::App* app = root.add_subcommand("serve", "Serve a chain until SIGTERM");
  app->footer(kServeExamples);

  add_source(app, serve);
  add_listeners(app, serve);
  add_access(app, serve);
  add_limits(app, serve);
  app->add_option("--loop", serve.loop, "auto, uring or epoll; auto takes io_uring where the kernel has it")
      ->type_name("KIND")
      ->check(CLI::IsMember({"auto", "uring", "epoll"}));
  add_development(app, serve);
  app->add_option("--log-level", serve.log_level,
                  "trace, debug, info, warn, error or off; info if not given [env FANFARE_LOG_LEVEL]")
      ->type_name("LEVEL");
  app->add_option("--log-format", serve.log_format,
                  "text or json, one object a line; else logFormat of the file [env FANFARE_LOG_FORMAT]")
      ->type_name("FORM");
  return app;
}

CLI::App* add_check(CLI::App& root, CheckArguments& check) {
  CLI::App* app = root.add_subcommand("check", "Check a configuration file and leave");
  app->footer(kCheckExamples);
  app->add_option("FILE", check.file, "The YAML file")->required();
  app->add_flag("--system", check.system,
                "Also compare it with the limits of this system; status 1 if one is too low");
  app->add_option("--against", check.against,
                  "Show what a reload would change in a gateway that runs with this file")
      ->type_name("FILE");
  CLI::Option* web_dir =
      app->add_option("--web-dir", check.web_dir, "The --web-dir with which 'fanfare serve' will run")
          ->type_name("DIR");
  app->add_flag("--no-web", check.no_web, "'fanfare serve' will run with --no-web")->excludes(web_dir);
  return app;
}

CLI::App* add_canvas_export(CLI::App& root, CanvasExportArguments& out) {
  CLI::App* canvas = root.add_subcommand("canvas", "Pictures of a canvas");
  canvas->require_subcommand(1);
  CLI::App* app = canvas->add_subcommand("export", "Write the canvas as it is or was");
  app->footer(kCanvasExportExamples);
  app->add_option("SOURCE", out.source,
                  "A room's file, also while a server uses it, or the URL of a room of a server: "
                  "http://HOST/canvas/ROOM")
      ->required();
  app->add_option("-o,--output", out.output,
                  "The file, or - for standard output. With several moments: %05d in its name stands for the "
                  "number of "
                  "the picture; without it, the file is one animated PNG")
      ->type_name("FILE")
      ->required();
  app->add_option("--at", out.at, "One moment; the last pixel's if not given")->type_name("TIME");
  app->add_option("--every", out.every, "A picture for each such time, such as 10s")->type_name("DURATION");
  app->add_option("--frames", out.frames, "So many pictures in equal steps")
      ->type_name("N")
      ->check(within(std::uint64_t{1}, std::uint64_t{100'000}));
  app->add_option("--from", out.from_time, "The first moment; the first pixel's if not given")
      ->type_name("TIME");
  app->add_option("--to", out.to_time, "The last moment; the last pixel's if not given")->type_name("TIME");
  app->add_option("--rate", out.rate, "Pictures a second in an animated PNG; 25 if not given")
      ->type_name("N")
      ->check(within(1, 1000));
  app->add_option("--area", out.area, "A part of the canvas")->type_name("X,Y,WIDTH,HEIGHT");
  app->add_option("--token", out.token, "For a server with access control [env FANFARE_TOKEN]")
      ->type_name("TOKEN")
      ->envname("FANFARE_TOKEN");
  return app;
}

CLI::App* add_connect(CLI::App& root, ConnectArguments& connect) {
  CLI::App* app = root.add_subcommand("connect", "Talk to a WebSocket server");
  app->footer(kConnectExamples);
  app->add_option("URL", connect.url, "ws://, wss:// or ws+unix:/path/of/socket:/target")->required();

  const std::string talk = "What to say, and for how long";
  app->add_option("-x,--execute", connect.texts,
                  "Send this and leave; again for more. After each reconnection it is sent again")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->group(talk);
  app->add_option(
         "-w,--wait", connect.wait,
         "How long to stay after -x or the end of the input; 1s if not given, with -n or --reconnect no end")
      ->type_name("DURATION")
      ->group(talk);
  app->add_option("-n,--count", connect.count, "Leave after so many messages")
      ->type_name("N")
      ->check(within(std::uint64_t{1}, std::uint64_t{INT64_MAX}))
      ->group(talk);
  app->add_flag("-b,--binary", connect.binary, "What is sent is hex, and goes as binary messages")
      ->group(talk);
  app->add_flag("-v,--verbose", connect.verbose, "Show heads whole, and sizes, times and what was agreed on")
      ->group(talk);
  app->add_flag("--reconnect", connect.reconnect, "Come back after a loss, with growing pauses")->group(talk);

  const std::string handshake = "The handshake";
  app->add_option("-H,--header", connect.headers, "Into the request; again for more")
      ->type_name("'NAME: VALUE'")
      ->allow_extra_args(false)
      ->group(handshake);
  app->add_option("-s,--subprotocol", connect.subprotocols, "To offer; again for more, the best first")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group(handshake);
  app->add_option("-o,--origin", connect.origin, "The Origin header")->type_name("ORIGIN")->group(handshake);
  app->add_flag("--no-deflate", connect.no_deflate, "Do not offer compression")->group(handshake);

  const std::string way = "The way there";
  app->add_option("--proxy", connect.proxy, "CONNECT through http://USER:PASSWORD@HOST:PORT")
      ->type_name("URL")
      ->group(way);
  app->add_option("--ca-file", connect.ca_file, "Trust these authorities (PEM) instead of the system's")
      ->type_name("FILE")
      ->group(way);
  app->add_flag("--insecure", connect.insecure, "Trust any certificate")->group(way);
  return app;
}

CLI::App* add_bench(CLI::App& root, BenchArguments& bench) {
  CLI::App* app = root.add_subcommand("bench", "Load a WebSocket server and measure it");
  app->footer(kBenchExamples);
  app->add_option("URL", bench.url, "ws:// or wss:// of an echo, or with --subscribe of anything")
      ->required();
  app->add_option("-c,--connections", bench.connections, "100 if not given")
      ->type_name("N")
      ->check(within(std::uint64_t{1}, std::uint64_t{1'000'000}));
  app->add_option("-d,--duration", bench.duration, "10s if not given")->type_name("DURATION");
  app->add_option("--ramp", bench.ramp, "Time over which the connections are opened, 0s if not given")
      ->type_name("DURATION");
  const std::string echo = "Messages";
  app->add_option("-n,--in-flight", bench.in_flight, "Messages of one connection under way, 1 if not given")
      ->type_name("N")
      ->check(within(std::uint64_t{1}, std::uint64_t{100'000}))
      ->group(echo);
  app->add_option("-s,--size", bench.size, "Bytes of text in a message, 20 if not given")
      ->type_name("BYTES")
      ->check(within(std::uint64_t{0}, std::uint64_t{16} << 20U))
      ->group(echo);
  app->add_option("-r,--rate", bench.rate,
                  "Messages a second over all connections; latency counts from when each was due")
      ->type_name("N")
      ->check(within(1e-3, 1e9))
      ->group(echo);
  app->add_flag("--raw", bench.raw, "No handshake: the same bytes to a server that sends back what it gets")
      ->group(echo);
  const std::string fan_out = "Fan-out, instead of echoes";
  app->add_flag("--broadcast", bench.broadcast,
                "One more connection sends, and all others have to get each of its messages")
      ->group(fan_out);
  app->add_option("--subscribe", bench.subscribe, "Send this once on every connection, then count what comes")
      ->type_name("TEXT")
      ->group(fan_out);
  app->add_flag(
         "--handshakes", bench.handshakes,
         "Connect, upgrade and close all the time, -c connections at once; latency is that of the upgrade")
      ->group("Connections, instead of messages");
  const std::string way = "The way there";
  app->add_option(
         "--deflate", bench.deflate,
         "Compress: takeover (of windows, where the server agrees) or no-takeover; messages are JSON")
      ->type_name("HOW")
      ->check(CLI::IsMember({"takeover", "no-takeover"}).description(""))
      ->group(way);
  app->add_option("--ca-file", bench.ca_file, "Trust these authorities (PEM) instead of the system's")
      ->type_name("FILE")
      ->group(way);
  app->add_flag("--insecure", bench.insecure, "Trust any certificate")->group(way);
  app->add_option("--loop", bench.loop,
                  "What the load is sent over: auto (io_uring where it works), uring or epoll")
      ->type_name("LOOP")
      ->check(CLI::IsMember({"auto", "uring", "epoll"}).description(""));
  app->add_flag("--json", bench.json, "The result as one line of JSON");
  app->add_flag("-q,--quiet", bench.quiet, "No progress");
  return app;
}

ExitRequest leave_because(const CLI::App& root, const CLI::ParseError& error) {
  std::ostringstream out;
  std::ostringstream complaint;
  if (root.exit(error, out, complaint) == 0) return {.status = 0, .text = fit_to_columns(out.str())};
  const auto chosen = root.get_subcommands();
  const std::string name = chosen.empty() ? "fanfare" : "fanfare " + chosen.front()->get_name();
  return {.status = 2, .text = name + ": " + error.what() + "\n'" + name + " --help' tells what there is.\n"};
}

}  // namespace

std::expected<Command, ExitRequest> parse_arguments(int count, const char* const* arguments) {
  CLI::App root(kAbout, "fanfare");
  root.footer(kExamples);
  root.set_version_flag("-V,--version", version_text);
  root.require_subcommand(0, 1);

  ServeArguments serve;
  CheckArguments check;
  BenchArguments bench;
  const CLI::App* serve_app = add_serve(root, serve);
  const CLI::App* check_app = add_check(root, check);
  ConnectArguments connect;
  const CLI::App* connect_app = add_connect(root, connect);
  const CLI::App* bench_app = add_bench(root, bench);
  CanvasExportArguments canvas_export;
  const CLI::App* export_app = add_canvas_export(root, canvas_export);
  AdminArguments admin;
  const CLI::App* admin_app = add_admin(root, admin);
  AdminArguments upgrade;
  const CLI::App* upgrade_app = add_upgrade(root, upgrade);
  AdminArguments drain;
  const CLI::App* drain_app = add_drain(root, drain);
  TopArguments top;
  const CLI::App* top_app = add_top(root, top);
  SizeArguments size;
  const CLI::App* size_app = add_size(root, size);
  try {
    root.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(leave_because(root, error));
  }
  if (serve_app->parsed()) return serve;
  if (check_app->parsed()) return check;
  if (connect_app->parsed()) return connect;
  if (bench_app->parsed()) return bench;
  if (export_app->parsed()) return canvas_export;
  if (admin_app->parsed()) return admin;
  if (upgrade_app->parsed()) return upgrade;
  if (drain_app->parsed()) return drain;
  if (top_app->parsed()) return top;
  if (size_app->parsed()) return size;
  return std::unexpected(ExitRequest{.status = 2, .text = fit_to_columns(root.help())});
}

}  // namespace fanfare::app
