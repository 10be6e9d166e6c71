#pragma once
// The command line of `fanfare size` as plain data.

#include <cstdint>
#include <optional>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace fanfare::app {

// Counts and sizes are doubles: exact up to 2^53, and no product of them can wrap. Sizes are in bytes, times in seconds.
// size/check.h says what is in range.
struct SizeArguments {
  std::vector<double> clients;  // a plan for each
  std::optional<double> subscriptions_per_client;
  std::optional<double> topics;             // relayed over the broker
  std::optional<double> chains;             // that each instance follows
  std::optional<double> events_per_second;  // of one subscription
  double block_time_s = 12;
  double event_bytes = 1722;    // a head of the development chain
  double calls_per_second = 0;  // of all clients, answered by nodes

  bool tls = false;
  bool no_tls = false;
  bool deflate = false;

  double cores = 8;  // of a machine, as are the next three
  double memory_bytes = 32.0 * (1 << 30);
  double network_gbit = 10;
  double descriptors = 1 << 20;  // of a process: fs.nr_open, as Linux has it
  double proxy_addresses = 0;    // from which connections come to an instance; 0: from the clients'
  double instances_spare = 1;

  double fan_out_within_s = 1;
  double reconnect_within_s = 30;
  double deploy_spread_s = 60;

  bool json = false;
  bool markdown = false;
};

// Adds the command to the program's.
CLI::App* add_size(CLI::App& root, SizeArguments& out);

}  // namespace fanfare::app
