#include "admin/flags.h"

#include <CLI/CLI.hpp>

namespace fanfare::app {
namespace {

constexpr const char* kAdminExamples = R"(Examples:
  fanfare admin status
      Version, load, drain and log level of the server on this machine.
  fanfare admin connections --sort behind --limit 10
      The ten connections with the most data that their clients have not taken.
  fanfare admin connections --address 203.0.113.7 --agent 'ethers*'
      The connections from these addresses. * in a filter stands for any text.
  fanfare admin close 0-17-42 --code 1008 --reason 'please contact support'
      Closes one connection, by the id that 'connections' prints.
  fanfare admin disable main/1/node-a
      Takes an upstream out of use, for example to upgrade the node; 'enable' takes it back.
  fanfare admin drain --spread 1m
      Before a restart: /readyz says 503, and clients are asked to connect elsewhere. 'undrain' ends it.

The server needs the section 'admin' in its configuration, or --admin-socket. See docs/admin.md.
Status 0; 1: the server cannot be reached, or refused; 2: a wrong argument.)";

constexpr const char* kTopExamples = R"(Examples:
  fanfare top
      The server on this machine, every two seconds.
  fanfare top --once
      One look as plain text, for a script or a ticket. --json prints all that is known.
  fanfare top --socket http://127.0.0.1:4001
      Over the port of the admin API.

Keys: b, a, r, s, n sort by bytes behind, age, received, sent and subscriptions; q leaves. See docs/admin.md.)";

constexpr const char* kUpgradeExamples = R"(Examples:
  fanfare upgrade
      After a new build was installed: the server on this machine starts it, passes its sockets on and ends when its
      clients have moved. Nobody is refused. If the new build does not start, the server goes on as before.
  fanfare upgrade --pid 4711
      The same by a signal (SIGUSR2), without the admin API. The command does not wait: the log of the process
      says upgraded, or upgrade_failed with the reason.

See "Upgrade" in docs/install.md.
Status 0: the new process has taken over (with --pid: the signal was sent); 1: the old one goes on, or the
server cannot be reached; 2: a wrong argument.)";

constexpr const char* kDrainExamples = R"(Examples:
  fanfare drain --spread 1m
      Before a restart behind a load balancer: /readyz says 503, and clients are asked to connect elsewhere.
      'fanfare admin undrain' ends it.

See docs/admin.md.)";

void add_address(CLI::App* app, AdminAddress& to) {
  app->add_option("--socket", to.address,
                  "The admin API: a path, or http://HOST:PORT; $XDG_RUNTIME_DIR/fanfare.sock or "
                  "/run/fanfare/admin.sock if not given")
      ->type_name("ADDRESS")
      ->envname("FANFARE_ADMIN");
  app->add_option("--token", to.token, "For a port with access control")
      ->type_name("TOKEN")
      ->envname("FANFARE_TOKEN");
}

void add_filters(CLI::App* app, AdminArguments& out) {
  const std::string filters = "Which connections (* in a text stands for any text)";
  const auto add = [&](const char* name, std::string& to, const char* about) {
    app->add_option(name, to, about)->type_name("TEXT")->group(filters);
  };
  add("-q,--search", out.text, "Part of anything that is shown");
  add("--address", out.address, "Of the client, with or without its port");
  add("--agent", out.agent, "User-Agent");
  add("--principal", out.principal, "The authenticated identity");
  add("--service", out.service, "rpc, streams or canvas");
  add("--project", out.project, "Of the network");
  add("--network", out.network, "PROJECT/CHAIN");
  add("--stream", out.stream, "A stream that it has subscribed to");
  add("--room", out.room, "Of the canvas");
  add("--kind", out.kind, "websocket, http or opening");
  app->add_option("--behind-min", out.behind_min, "So many bytes behind, at least")
      ->type_name("BYTES")
      ->group(filters);
  app->add_option("--age-min", out.age_min, "So old, at least")->type_name("SECONDS")->group(filters);
}

CLI::App* add_command(CLI::App* admin, AdminArguments& out, const char* name, const char* about) {
  CLI::App* app = admin->add_subcommand(name, about);
  app->fallthrough();
  app->callback([&out, name] { out.command = name; });
  return app;
}

void add_connections(CLI::App* admin, AdminArguments& out) {
  CLI::App* app = add_command(admin, out, "connections", "List and search connections");
  add_filters(app, out);
  app->add_option("--sort", out.sort, "behind, age, received, sent or subscriptions: the greatest first")
      ->type_name("BY")
      ->check(CLI::IsMember({"behind", "age", "received", "sent", "subscriptions"}).description(""));
  app->add_option("--limit", out.limit, "So many; all if not given, with --sort 100")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""));
}

void add_close(CLI::App* admin, AdminArguments& out) {
  CLI::App* app = add_command(admin, out, "close", "Close connections, by id or by filter");
  app->add_option("ID", out.ids, "As 'connections' prints it; again for more");
  app->add_option("--code", out.code, "Close code: 1012 (come back) if not given; 1008: not welcome")
      ->type_name("CODE");
  app->add_option("--reason", out.reason, "For the client, at most 123 bytes")->type_name("TEXT");
  add_filters(app, out);
}

constexpr const char* kAboutDrain = "Take the server out of service, without ending it";

void add_drain_flags(CLI::App* app, AdminArguments& out) {
  app->add_option("--spread", out.spread_s, "Close the WebSockets over this time, 30s if not given")
      ->type_name("DURATION")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"m", 60}, {"h", 3600}},
                                        CLI::AsNumberWithUnit::CASE_SENSITIVE, "")
                      .description(""));
  app->add_option("--reason", out.reason, "For the clients, at most 123 bytes")->type_name("TEXT");
}

void add_upstream(CLI::App* admin, AdminArguments& out) {
  CLI::App* disable = add_command(admin, out, "disable", "Take an upstream out of use");
  disable->add_option("UPSTREAM", out.upstream, "PROJECT/CHAIN/NAME")->required();
  disable->add_flag("--force", out.force, "Also the last one that its network can use");
  CLI::App* enable = add_command(admin, out, "enable", "Use an upstream again");
  enable->add_option("UPSTREAM", out.upstream, "PROJECT/CHAIN/NAME")->required();
}

}  // namespace

CLI::App* add_admin(CLI::App& root, AdminArguments& out) {
  CLI::App* admin = root.add_subcommand("admin", "Look into a running server and operate it");
  admin->footer(kAdminExamples);
  admin->require_subcommand(1);
  add_address(admin, out.to);
  admin->add_flag("--json", out.json, "Print the server's answer as it is");
  add_command(admin, out, "status", "Version, load, drain and log level");
  add_connections(admin, out);
  add_close(admin, out);
  add_command(admin, out, "networks", "Networks with their heads");
  add_command(admin, out, "upstreams", "The nodes, and why one is not used");
  add_upstream(admin, out);
  add_command(admin, out, "streams", "Streams and their subscribers");
  add_command(admin, out, "rooms", "Rooms of the canvas");
  add_drain_flags(add_command(admin, out, "drain", kAboutDrain), out);
  add_command(admin, out, "undrain", "Put it back into service");
  CLI::App* level = add_command(admin, out, "log-level", "Show or change the level of the log");
  level->add_option("LEVEL", out.level, "trace, debug, info, warn, error or off");
  add_command(admin, out, "config", "The configuration in effect, without secrets");
  add_command(admin, out, "reload", "Read the configuration again, and say what changed");
  return admin;
}

CLI::App* add_upgrade(CLI::App& root, AdminArguments& out) {
  CLI::App* app = root.add_subcommand("upgrade", "Replace a running server by the program on disk");
  app->footer(kUpgradeExamples);
  add_address(app, out.to);
  app->add_flag("--json", out.json, "Print the server's answer as it is");
  app->add_option("--pid", out.pid, "Send a signal to this process instead")
      ->type_name("PID")
      ->check(CLI::Range(1, INT32_MAX).description(""));
  app->callback([&out] { out.command = "upgrade"; });
  return app;
}

CLI::App* add_drain(CLI::App& root, AdminArguments& out) {
  CLI::App* app = root.add_subcommand("drain", kAboutDrain);
  app->footer(kDrainExamples);
  add_address(app, out.to);
  app->add_flag("--json", out.json, "Print the server's answer as it is");
  add_drain_flags(app, out);
  app->callback([&out] { out.command = "drain"; });
  return app;
}

CLI::App* add_top(CLI::App& root, TopArguments& out) {
  CLI::App* app = root.add_subcommand("top", "Watch a running server");
  app->footer(kTopExamples);
  add_address(app, out.to);
  app->add_option("-i,--interval", out.interval_s, "Seconds between two looks, 2 if not given")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3600.0).description(""))
      ->check([](const std::string& text) {
        return text.find_first_of("nN") != std::string::npos ? "must be a number"
                                                             : "";  // "nan" is in no range
      });
  app->add_option("--sort", out.sort, "behind, age, received, sent or subscriptions; behind if not given")
      ->type_name("BY")
      ->check(CLI::IsMember({"behind", "age", "received", "sent", "subscriptions"}).description(""));
  app->add_option("-n,--rows", out.rows, "Connections shown; as many as fit if not given")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""));
  app->add_flag("--once", out.once, "One look as plain text; without a terminal it is always so");
  app->add_flag("--json", out.json, "One look as JSON");
  return app;
}

}  // namespace fanfare::app
