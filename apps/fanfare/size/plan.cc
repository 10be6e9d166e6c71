#include "size/plan.h"

#include <algorithm>
#include <cmath>

#include "size/costs.h"
#include "size/numbers.h"

namespace fanfare::app {
namespace {

constexpr double kMicro = 1e-6;
constexpr double kInstancesMax = 1'000'000;

SizeLoad load_of(const SizeArguments& arguments, double clients) {
  SizeLoad load{.clients = clients, .tls = !arguments.no_tls};
  load.topics = arguments.topics.value_or(0);
  load.chains = arguments.chains.value_or(load.topics > 0 ? 0 : 1);
  load.subscriptions = arguments.subscriptions_per_client.value_or(1);
  load.events_per_second =
      load.subscriptions > 0 ? arguments.events_per_second.value_or(1 / arguments.block_time_s) : 0;
  return load;
}

// The cost at a size, on the line through two measured ones; never below the smaller.
double on_line(double small, double large, double event_bytes) {
  const double slope = std::max(0.0, large - small) / (costs::kLargeEventBytes - costs::kSmallEventBytes);
  return small + slope * std::max(0.0, event_bytes - costs::kSmallEventBytes);
}

costs::DeliveryWay way_of(bool tls, bool deflate) {
  if (deflate) return tls ? costs::kDeliveryTlsDeflate : costs::kDeliveryDeflate;
  return tls ? costs::kDeliveryTls : costs::kDelivery;
}

// What one client and one instance cost; everything else follows from these.
struct Model {
  Model(const SizeArguments& arguments_in, const SizeLoad& load_in);

  double rest_of_instance(double instances) const;  // seconds of processor time a second, without clients
  double instances_reading(double clients, double instances) const;
  double subscribers_of_topic(double clients) const;
  double clients_max(Resource resource, double instances) const;

  const SizeArguments& arguments;
  const SizeLoad& load;
  costs::Connection connection;
  double delivery_us;
  double wire_bytes;    // of an event on the network
  double buffer_bytes;  // of a connection in the kernel, at most
  double client_cpu;    // seconds a second
  double client_bits;   // a second
  double ours_bytes;
  double kernel_bytes;
  double fixed_bytes;  // of an instance
};

Model::Model(const SizeArguments& arguments_in, const SizeLoad& load_in)
    : arguments(arguments_in), load(load_in), connection(load.tls ? costs::kTls : costs::kPlain) {
  const costs::DeliveryWay way = way_of(load.tls, arguments.deflate);
  const double size = arguments.event_bytes;
  const double rare = (costs::kFrequentEventsPerSecond - load.events_per_second) /
                      (costs::kFrequentEventsPerSecond - costs::kRareEventsPerSecond);
  delivery_us = on_line(way.small.us, way.large.us, size) + std::clamp(rare, 0.0, 1.0) * costs::kRareEventUs;
  buffer_bytes = on_line(way.small.buffer_bytes, way.large.buffer_bytes, size);
  const double tls_bytes = load.tls ? costs::kTlsRecordBytes : 0;
  const double frame_bytes = on_line(way.small.wire_bytes, way.large.wire_bytes, size) + tls_bytes;
  wire_bytes = frame_bytes + std::ceil(frame_bytes / costs::kSegmentBytes) * costs::kPacketBytes;
  const double deliveries = load.subscriptions * load.events_per_second;
  client_cpu = (deliveries * delivery_us + connection.ping_us / costs::kPingIntervalS) * kMicro;
  client_bits = 8 * (deliveries * wire_bytes + (2 + tls_bytes + costs::kPacketBytes) / costs::kPingIntervalS);
  const double served_bytes = on_line(way.small.ours_bytes, way.large.ours_bytes, size);
  ours_bytes = (deliveries > 0 ? served_bytes : connection.ours_bytes) +
               std::max(0.0, load.subscriptions - 1) * costs::kSubscriptionBytes;
  kernel_bytes = connection.kernel_bytes + (deliveries > 0 ? buffer_bytes : 0);
  const double history = std::min(costs::kHistoryEvents * size, costs::kHistoryBytes);
  fixed_bytes = costs::kInstanceBytes + load.chains * costs::kAnswerCacheBytes + load.topics * history;
}

// Calls are shared by all instances, and so is the work for them.
double Model::rest_of_instance(double instances) const {
  return costs::kIdleShare + (load.chains / arguments.block_time_s * costs::kChainBlockUs +
                              load.topics * load.events_per_second * costs::kRelayReceiveUs +
                              arguments.calls_per_second / instances * costs::kForwardedCallUs) *
                                 kMicro;
}

// Subscribers are spread evenly; a client does not subscribe to the same twice, unless to logs.
double Model::subscribers_of_topic(double clients) const {
  const double sources = load.topics + load.chains;
  return sources > 0 ? std::min(clients, clients * load.subscriptions / sources) : 0;
}

// Only an instance with a subscriber reads a topic.
double Model::instances_reading(double clients, double instances) const {
  return std::min(instances, std::ceil(subscribers_of_topic(clients)));
}

double Model::clients_max(Resource resource, double instances) const {
  const double cores = arguments.cores * instances;
  const double all = instances + arguments.instances_spare;
  const double unlimited = INFINITY;
  switch (resource) {
    case Resource::cpu:
      return (cores * costs::kCpuShare - rest_of_instance(instances) * instances) / client_cpu;
    case Resource::fan_out: {
      const double share = subscribers_of_topic(1);
      if (share == 0 || load.events_per_second == 0) return unlimited;
      return cores * arguments.fan_out_within_s / (share * delivery_us * kMicro);
    }
    case Resource::memory:
      return instances * (arguments.memory_bytes * costs::kMemoryShare - fixed_bytes) /
             (ours_bytes + kernel_bytes);
    case Resource::network:
      return instances * arguments.network_gbit * 1e9 * costs::kNetworkShare / client_bits;
    case Resource::descriptors:
      return instances * (arguments.descriptors - costs::kDescriptorsReserved);
    case Resource::proxy_ports:
      return arguments.proxy_addresses == 0 ? unlimited
                                            : instances * arguments.proxy_addresses * costs::kPortsPerAddress;
    // One instance ends, and its clients come to the others: or to the same one, if it is alone.
    case Resource::reconnect:
      return all * std::max(1.0, all - 1) * arguments.cores * costs::kReconnectShare *
             arguments.reconnect_within_s / (connection.handshake_us * kMicro);
    case Resource::deploy:
      return all * std::max(1.0, all - 1) * arguments.cores * costs::kReconnectShare *
             arguments.deploy_spread_s / (connection.handshake_us * kMicro);
    // The broker's load grows with the instances, and they grow with the clients.
    case Resource::broker: {
      const double events = load.topics * load.events_per_second;
      if (events == 0) return unlimited;
      const double reading = instances_reading(load.clients, all);
      const double copy_bits = 8 * (arguments.event_bytes + costs::kBrokerCopyBytes);
      const double by_network =
          costs::kBrokers * arguments.network_gbit * 1e9 * costs::kNetworkShare / (events * copy_bits);
      const double by_cpu =
          (costs::kBrokers * arguments.cores * costs::kCpuShare / (events * kMicro) - costs::kBrokerEventUs) /
          costs::kBrokerCopyUs;
      return load.clients * std::min(by_network, by_cpu) / reading;
    }
  }
  return unlimited;
}

constexpr Resource kResources[] = {Resource::cpu,       Resource::fan_out,     Resource::memory,
                                   Resource::network,   Resource::descriptors, Resource::proxy_ports,
                                   Resource::reconnect, Resource::deploy,      Resource::broker};

// The least number of instances that carry the load: capacities grow with it, except that of the broker.
double instances_for(const Model& model, Resource resource) {
  double too_few = 0;
  double enough = kInstancesMax;
  if (model.clients_max(resource, enough) < model.load.clients) return INFINITY;
  while (enough - too_few > 1) {
    const double middle = std::floor((too_few + enough) / 2);
    (model.clients_max(resource, middle) >= model.load.clients ? enough : too_few) = middle;
  }
  return enough;
}

double upstream_calls_per_minute(const SizeArguments& arguments, const SizePlan& plan) {
  const double interval = std::clamp(arguments.block_time_s / costs::kPollsPerBlock, costs::kPollIntervalMinS,
                                     costs::kPollIntervalMaxS);
  const double of_chain = 1 / interval + 1 / arguments.block_time_s;  // heads, and the logs of each block
  const double of_topics = plan.load.topics * plan.load.events_per_second;  // by the one instance that polls
  return 60 * (plan.instances * plan.load.chains * of_chain + of_topics + arguments.calls_per_second);
}

void fill_in(const SizeArguments& arguments, const Model& model, SizePlan& plan) {
  const SizeLoad& load = plan.load;
  const double carrying = plan.instances - plan.instances_spare;
  const double others = std::max(1.0, plan.instances - 1);
  plan.clients_each = std::ceil(load.clients / carrying);
  plan.ours_bytes = plan.clients_each * model.ours_bytes + model.fixed_bytes;
  plan.kernel_bytes = plan.clients_each * model.kernel_bytes;
  plan.tcp_buffer_bytes = plan.clients_each * model.buffer_bytes;
  plan.cpu_cores = plan.clients_each * model.client_cpu + model.rest_of_instance(carrying);
  plan.fan_out_s =
      model.subscribers_of_topic(load.clients) / carrying / arguments.cores * model.delivery_us * kMicro;
  plan.network_bits = plan.clients_each * model.client_bits;
  plan.handshakes_per_second =
      arguments.cores * costs::kReconnectShare / (model.connection.handshake_us * kMicro);
  plan.descriptors = plan.clients_each + costs::kDescriptorsReserved;

  plan.deliveries_per_second = load.clients * load.subscriptions * load.events_per_second;
  plan.network_bits_all = load.clients * model.client_bits;
  const double lost = load.clients / plan.instances;
  plan.reconnect_s = lost / (others * plan.handshakes_per_second);
  plan.closes_per_second = std::ceil(lost / arguments.deploy_spread_s);
  plan.deploy_s = plan.instances * arguments.deploy_spread_s;
  plan.upstream_calls_per_minute = upstream_calls_per_minute(arguments, plan);
  const double events = load.topics * load.events_per_second;
  const double reading = model.instances_reading(load.clients, plan.instances);
  plan.broker_streams = load.topics;
  plan.broker_in_bits = 8 * events * (arguments.event_bytes + costs::kBrokerInBytes);
  plan.broker_out_bits = 8 * events * reading * (arguments.event_bytes + costs::kBrokerCopyBytes);
  plan.broker_replication_bits = (costs::kBrokers - 1) * plan.broker_in_bits;
  plan.proxy_addresses = std::ceil(plan.clients_each / costs::kPortsPerAddress);
}

std::string too_much_for_one(const SizeArguments& arguments, const Model& model) {
  // With many instances, only what each of them does by itself is left.
  const double cpu = model.rest_of_instance(kInstancesMax);
  const double cpu_max = arguments.cores * costs::kCpuShare;
  if (cpu >= cpu_max) {
    return "each instance needs " + decimal_text(cpu) +
           " cores for chains and relayed events before anybody connects, but the plan uses " +
           decimal_text(cpu_max) + " of --cores-per-machine " + whole_text(arguments.cores) +
           ": take more cores, or split --topics and --chains over several fleets";
  }
  const double memory_max = arguments.memory_bytes * costs::kMemoryShare;
  if (model.fixed_bytes >= memory_max) {
    return "each instance needs " + storage_text(model.fixed_bytes) +
           " before anybody connects, but the plan uses " + storage_text(memory_max) +
           " of --memory-per-machine " + storage_text(arguments.memory_bytes) +
           ": take more memory, or lower --chains and --topics";
  }
  return {};
}

}  // namespace

std::expected<SizePlan, std::string> plan_size(const SizeArguments& arguments, double clients) {
  SizePlan plan;
  plan.load = load_of(arguments, clients);
  plan.instances_spare = arguments.instances_spare;
  const Model model(arguments, plan.load);
  if (auto error = too_much_for_one(arguments, model); !error.empty())
    return std::unexpected(std::move(error));
  double needed = 1;
  for (const Resource resource : kResources) {
    const double instances = resource == Resource::broker ? 1 : instances_for(model, resource);
    if (std::isinf(instances)) {
      return std::unexpected(whole_text(clients) + " clients need more than " + whole_text(kInstancesMax) +
                             " machines (" + name_of(resource) +
                             "): take larger machines, or fewer events or subscriptions for each client");
    }
    needed = std::max(needed, instances);
    plan.resources.push_back({.resource = resource, .instances = instances});
  }
  plan.instances = needed + arguments.instances_spare;
  for (ResourcePlan& each : plan.resources)
    each.clients_max = std::floor(model.clients_max(each.resource, needed));
  std::erase_if(plan.resources, [](const ResourcePlan& each) { return std::isinf(each.clients_max); });
  std::ranges::stable_sort(plan.resources, {}, &ResourcePlan::clients_max);
  if (plan.resources.front().clients_max < clients) {
    return std::unexpected(
        "a broker of " + whole_text(costs::kBrokers) + " machines cannot pass " +
        decimal_text(plan.load.topics * plan.load.events_per_second) + " events a second on to " +
        whole_text(plan.instances) + " instances, only to " +
        whole_text(std::floor(plan.resources.front().clients_max / clients *
                              model.instances_reading(clients, plan.instances))) +
        ": split --topics over several fleets with a broker each, or lower --events-per-second");
  }
  fill_in(arguments, model, plan);
  return plan;
}

}  // namespace fanfare::app
