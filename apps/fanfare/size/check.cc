// What `fanfare size` accepts.

#include <cmath>

#include "size/costs.h"
#include "size/numbers.h"
#include "size/plan.h"
#include "size/settings.h"

namespace fanfare::app {
namespace {

struct Range {
  const char* option;
  double value;
  double min;
  double max;
  bool is_whole = true;
  const char* advice = "";  // beyond the maximum
};

std::string number_text(double number) {
  return std::abs(number) < 1 ? decimal_text(number) : whole_text(number);
}

std::string error_of(const Range& range) {
  const bool is_fraction = range.value != std::floor(range.value);
  const std::string what =
      std::string(range.option) + " " + (is_fraction ? exact_text(range.value) : decimal_text(range.value));
  if (!(range.value >= range.min)) return what + " is below " + number_text(range.min);
  if (range.value > range.max) {
    return what + " is above " + number_text(range.max) + (*range.advice == 0 ? "" : ": ") + range.advice;
  }
  if (range.is_whole && is_fraction) return what + " is not a whole number";
  return {};
}

// The first error of ranges that are checked in order; empty: none.
std::string first_error(std::initializer_list<Range> ranges) {
  for (const Range& range : ranges) {
    if (std::string error = error_of(range); !error.empty()) return error;
  }
  return {};
}

std::string range_error(const SizeArguments& arguments) {
  for (const double clients : arguments.clients) {
    const Range range{"--clients", clients, 1, 1e10, true, "there are not that many people"};
    if (std::string error = error_of(range); !error.empty()) return error;
  }
  return first_error({
      {"--subscriptions-per-client", arguments.subscriptions_per_client.value_or(1), 0, 10'000, false,
       "use one subscription with a wider filter, or one topic for many values"},
      {"--topics", arguments.topics.value_or(0), 0, costs::kBrokerTopicsMax, true,
       "each is a stream and a Raft group of the broker. Put many values into one topic, or use several "
       "fleets with a broker each"},
      {"--chains", arguments.chains.value_or(1), 0, 1000, true, "split the chains over several fleets"},
      {"--block-time", arguments.block_time_s, 0.05, 86'400, false},
      {"--events-per-second", arguments.events_per_second.value_or(1), 0, 1e6, false,
       "send several events in one message"},
      {"--event-bytes", arguments.event_bytes, 1, 1 << 20, true,
       "a message of a relayed topic is smaller than the max_payload of the broker. Split the event"},
      {"--calls-per-second", arguments.calls_per_second, 0, 1e9, false},
      {"--cores-per-machine", arguments.cores, 1, 1024, true, "a server has at most 1,024 event loops"},
      {"--memory-per-machine", arguments.memory_bytes, 256.0 * (1 << 20), 1e15},
      {"--network-gbit", arguments.network_gbit, 0.001, 10'000, false},
      {"--descriptors", arguments.descriptors, 1024, 1e9, true,
       "the kernel allows at most 1,073,741,816 (fs.nr_open)"},
      {"--proxy-addresses", arguments.proxy_addresses, 0, 65'536, true},
      {"--instances-spare", arguments.instances_spare, 0, 1000, true},
      {"--fan-out-within", arguments.fan_out_within_s, 1e-3, 86'400, false},
      {"--reconnect-within", arguments.reconnect_within_s, 1, 86'400, false},
      {"--deploy-spread", arguments.deploy_spread_s, 1, kSpreadShare * 3600, false,
       "server.shutdownTimeout is an hour at most, and a stop uses 0.7 of it"},
  });
}

std::string contradiction(const SizeArguments& arguments) {
  const double topics = arguments.topics.value_or(0);
  const double chains = arguments.chains.value_or(topics > 0 ? 0 : 1);
  const double subscriptions = arguments.subscriptions_per_client.value_or(1);
  if (subscriptions == 0 && arguments.events_per_second.value_or(0) > 0) {
    return "--events-per-second " + decimal_text(*arguments.events_per_second) +
           " with --subscriptions-per-client 0: who does not subscribe gets no event. Leave one of them out";
  }
  if (subscriptions > 0 && topics + chains == 0) {
    return "--topics 0 and --chains 0: there is nothing to subscribe to. Give one of them, or "
           "--subscriptions-per-client 0";
  }
  if (chains == 0 && subscriptions > topics) {
    return "--subscriptions-per-client " + decimal_text(subscriptions) + " is above --topics " +
           whole_text(topics) + ": a client subscribes to a topic once. Raise --topics, or give --chains";
  }
  if (topics > 0 && chains == 0 && !arguments.events_per_second) {
    return "--topics " + whole_text(topics) +
           " without a chain: give --events-per-second, how many events one of them has";
  }
  if (arguments.json && arguments.markdown) return "--json and --markdown: give one of them";
  if (arguments.tls && arguments.no_tls) return "--tls and --no-tls: give one of them";
  return {};
}

}  // namespace

std::expected<void, std::string> check_size(const SizeArguments& arguments) {
  if (std::string error = range_error(arguments); !error.empty()) return std::unexpected(std::move(error));
  if (std::string error = contradiction(arguments); !error.empty()) return std::unexpected(std::move(error));
  return {};
}

}  // namespace fanfare::app
