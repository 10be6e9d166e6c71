#include "size/flags.h"

#include <array>
#include <charconv>
#include <map>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

#include "base/log.h"

namespace fanfare::app {
namespace {

constexpr const char* kSizeExamples = R"(Examples:
  fanfare size --clients 1M
      A million clients that watch the heads of one chain, over TLS.
  fanfare size --clients 200k --subscriptions-per-client 4 --topics 50 --chains 0 --events-per-second 0.5 \
      --event-bytes 250
      Fifty streams over the broker; each client reads four of them, a value every two seconds.
  fanfare size --clients 10k,1M,100M --markdown
      Three plans beside each other, as in docs/scaling.md.
  fanfare size --clients 1M --cores-per-machine 32 --memory-per-machine 64GiB --instances-spare 2 --json
      For other machines, of which two may be lost; all numbers as JSON.

The plan says how many machines are needed, which resource decides that, what
breaks first when more clients come, and which limits of the kernel and of the
configuration to raise. Its costs were measured on one machine, by
'./dev bench --costs' (docs/scaling.md): measure your own before you buy.
Status 0; 2: a number out of range, options that contradict each other, or a
load that no number of machines carries.)";

using Units = std::map<std::string, double>;

// "10k" becomes "10000". CLI11's own form rounds to six digits.
std::string without_unit(const Units& units, std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return log::excerpt(text) + " is not a number";
  const std::string unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto found = units.find(unit);
  if (!unit.empty() && found == units.end()) {
    std::string names;
    for (const auto& [name, factor] : units) names += (names.empty() ? "" : ", ") + name;
    return log::excerpt(text) + " has an unknown unit, expected one of " + names;
  }
  std::array<char, 32> exact{};
  const double value = unit.empty() ? number : number * found->second;
  text.assign(exact.data(), std::to_chars(exact.data(), exact.data() + exact.size(), value).ptr);
  return {};
}

CLI::Validator with_unit(const Units& units) {
  return {[units](std::string& text) { return without_unit(units, text); }, ""};
}

CLI::Validator count() {
  return with_unit({{"k", 1e3}, {"M", 1e6}, {"G", 1e9}});
}
CLI::Validator size() {
  return with_unit({{"B", 1}, {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1099511627776.0}});
}
CLI::Validator duration() {
  return with_unit({{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}});
}

void add_load(CLI::App* app, SizeArguments& out) {
  const std::string load = "The load";
  app->add_option("--clients", out.clients,
                  "Connected at the same time: 10k, 1M; several with commas: a plan for each")
      ->type_name("N")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->required()
      ->transform(count())
      ->group(load);
  app->add_option("--subscriptions-per-client", out.subscriptions_per_client,
                  "1 if not given; 0: silent clients")
      ->type_name("N")
      ->transform(count())
      ->group(load);
  app->add_option("--topics", out.topics, "Relayed streams and topics, over the broker; none if not given")
      ->type_name("N")
      ->transform(count())
      ->group(load);
  app->add_option("--chains", out.chains,
                  "Chains that each instance follows; 1 if not given, or 0 with --topics")
      ->type_name("N")
      ->transform(count())
      ->group(load);
  app->add_option("--block-time", out.block_time_s, "Of these chains, 12s if not given")
      ->type_name("DURATION")
      ->transform(duration())
      ->group(load);
  app->add_option("--events-per-second", out.events_per_second,
                  "That one subscription gets; one a block if not given")
      ->type_name("N")
      ->transform(count())
      ->group(load);
  app->add_option("--event-bytes", out.event_bytes, "Of its message; 1722, a head, if not given")
      ->type_name("SIZE")
      ->transform(size())
      ->group(load);
  app->add_option("--calls-per-second", out.calls_per_second,
                  "Of all clients together, answered by nodes; 0 if not given")
      ->type_name("N")
      ->transform(count())
      ->group(load);
  app->add_flag("--tls", out.tls, "The instances end TLS; the default")->group(load);
  app->add_flag("--no-tls", out.no_tls, "A proxy in front ends it")->group(load);
  app->add_flag("--deflate", out.deflate, "permessage-deflate for all clients")->group(load);
}

void add_machines(CLI::App* app, SizeArguments& out) {
  const std::string machine = "The machines, with an instance on each";
  app->add_option("--cores-per-machine", out.cores, "8 if not given")
      ->type_name("N")
      ->transform(count())
      ->group(machine);
  app->add_option("--memory-per-machine", out.memory_bytes, "32GiB if not given")
      ->type_name("SIZE")
      ->transform(size())
      ->group(machine);
  app->add_option("--network-gbit", out.network_gbit, "Gbit/s, 10 if not given")
      ->type_name("N")
      ->group(machine);
  app->add_option("--descriptors", out.descriptors, "Of one process: fs.nr_open, 1048576 if not given")
      ->type_name("N")
      ->transform(count())
      ->group(machine);
  app->add_option(
         "--proxy-addresses", out.proxy_addresses,
         "Source addresses from which proxies connect to each instance; 0 (if not given): connections come "
         "from the clients' addresses, through a balancer of layer 4 or none")
      ->type_name("N")
      ->transform(count())
      ->group(machine);
}

void add_goals(CLI::App* app, SizeArguments& out) {
  const std::string goals = "What has to hold";
  app->add_option("--instances-spare", out.instances_spare, "May be lost at the same time, 1 if not given")
      ->type_name("N")
      ->transform(count())
      ->group(goals);
  app->add_option("--fan-out-within", out.fan_out_within_s,
                  "From an event to its last subscriber, 1s if not given")
      ->type_name("DURATION")
      ->transform(duration())
      ->group(goals);
  app->add_option("--reconnect-within", out.reconnect_within_s,
                  "Until the clients of a lost instance are back, 30s if not given")
      ->type_name("DURATION")
      ->transform(duration())
      ->group(goals);
  app->add_option("--deploy-spread", out.deploy_spread_s,
                  "Time over which an instance closes its clients when it is replaced, 60s if not given")
      ->type_name("DURATION")
      ->transform(duration())
      ->group(goals);
}

}  // namespace

CLI::App* add_size(CLI::App& root, SizeArguments& out) {
  CLI::App* app = root.add_subcommand("size", "Plan the machines for a number of clients");
  app->footer(kSizeExamples);
  add_load(app, out);
  add_machines(app, out);
  add_goals(app, out);
  app->add_flag("--json", out.json, "All numbers, as one line of JSON");
  app->add_flag("--markdown", out.markdown, "A table with a column for each number of clients");
  return app;
}

}  // namespace fanfare::app
