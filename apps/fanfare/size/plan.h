#pragma once
// Computes how many instances a number of clients needs. Pure: the costs are those of size/costs.h.
//
// Each resource has a capacity: the clients that a number of instances can carry as far as it is concerned. The plan takes the least number
// of instances whose capacity of every resource suffices, and adds the spare ones.

#include <expected>
#include <string>
#include <vector>

#include "size/flags.h"

namespace fanfare::app {

enum class Resource { cpu, fan_out, memory, network, descriptors, proxy_ports, reconnect, deploy, broker };

// "CPU".
const char* name_of(Resource resource);
// What clients or the operator notice beyond its capacity, and what to do.
const char* effect_of(Resource resource);

// What a load is, after defaults.
struct SizeLoad {
  double clients = 0;
  double subscriptions = 1;  // of a client
  double topics = 0;
  double chains = 1;
  double events_per_second = 0;  // of a subscription
  bool tls = true;
};

struct ResourcePlan {
  Resource resource{};
  double instances = 0;    // so many are needed for it, without the spare ones
  double clients_max = 0;  // that the planned instances carry when the spare ones are lost
};

struct SizePlan {
  SizeLoad load;
  double instances = 0;  // with the spare ones
  double instances_spare = 0;
  std::vector<ResourcePlan> resources;  // what breaks first is first

  // Of one instance when the spare ones are lost.
  double clients_each = 0;
  double ours_bytes = 0;
  double kernel_bytes = 0;
  double tcp_buffer_bytes = 0;       // of kernel_bytes: what net.ipv4.tcp_mem limits
  double cpu_cores = 0;              // of its cores, on average
  double fan_out_s = 0;              // an event of one topic, from the first to the last subscriber
  double network_bits = 0;           // a second, outgoing
  double handshakes_per_second = 0;  // it can take while it serves
  double descriptors = 0;

  // Of all instances.
  double deliveries_per_second = 0;
  double network_bits_all = 0;
  double reconnect_s = 0;        // the clients of a lost instance, at the rate that the others can take
  double closes_per_second = 0;  // of an instance that is replaced
  double deploy_s = 0;           // all of them, one after another
  double upstream_calls_per_minute = 0;
  double broker_streams = 0;
  double broker_in_bits = 0;   // a second, of the cluster, without replication
  double broker_out_bits = 0;  // to the instances
  double broker_replication_bits = 0;
  double proxy_addresses = 0;  // that proxies need towards each instance, if there are any
};

// The error of options that are out of range or contradict each other: it names the option, its value, the limit and what to do.
std::expected<void, std::string> check_size(const SizeArguments& arguments);

// The arguments have passed check_size(). An error: no number of machines carries it; what to do.
std::expected<SizePlan, std::string> plan_size(const SizeArguments& arguments, double clients);

}  // namespace fanfare::app
