// The plan: which resource decides, and what follows from it. Costs come from size/costs.h, so that the tests hold for other measurements, too.

#include "size/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "size/costs.h"

namespace fanfare::app {
namespace {

using testing::AllOf;
using testing::HasSubstr;

SizeArguments for_clients(double clients) {
  SizeArguments arguments;
  arguments.clients = {clients};
  return arguments;
}

SizePlan plan_of(const SizeArguments& arguments) {
  const auto checked = check_size(arguments);
  EXPECT_TRUE(checked) << checked.error();
  const auto plan = plan_size(arguments, arguments.clients.front());
  EXPECT_TRUE(plan) << plan.error();
  return plan.value_or(SizePlan{});
}

std::string error_of(const SizeArguments& arguments) {
  if (const auto checked = check_size(arguments); !checked) return checked.error();
  const auto plan = plan_size(arguments, arguments.clients.front());
  return plan ? "" : plan.error();
}

Resource first_limit(const SizePlan& plan) {
  return plan.resources.at(0).resource;
}

double needed_for(const SizePlan& plan, Resource resource) {
  for (const ResourcePlan& each : plan.resources) {
    if (each.resource == resource) return each.instances;
  }
  return 0;
}

TEST(SizePlan, ASmallLoadNeedsOneInstanceAndTheSpareOne) {
  const SizePlan plan = plan_of(for_clients(1));
  EXPECT_EQ(plan.instances, 2);
  EXPECT_EQ(plan.clients_each, 1);
  EXPECT_EQ(plan.broker_streams, 0);
  EXPECT_EQ(plan.broker_out_bits, 0);
}

TEST(SizePlan, WithoutASpareOneInstanceIsAlone) {
  SizeArguments arguments = for_clients(1000);
  arguments.instances_spare = 0;
  EXPECT_EQ(plan_of(arguments).instances, 1);
}

TEST(SizePlan, MemoryDecidesWhenThereIsLittleOfIt) {
  SizeArguments arguments = for_clients(1e6);
  arguments.memory_bytes = 2.0 * (1 << 30);
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(first_limit(plan), Resource::memory);
  const double carrying = plan.instances - 1;
  EXPECT_LE(plan.ours_bytes + plan.kernel_bytes, arguments.memory_bytes * costs::kMemoryShare + 1);
  EXPECT_EQ(needed_for(plan, Resource::memory), carrying);
  // One less would not do.
  EXPECT_GT(1e6 / (carrying - 1) * (plan.ours_bytes + plan.kernel_bytes) / plan.clients_each,
            arguments.memory_bytes * costs::kMemoryShare - costs::kAnswerCacheBytes - costs::kInstanceBytes);
}

TEST(SizePlan, NetworkDecidesWhenItIsSlow) {
  SizeArguments arguments = for_clients(100'000);
  arguments.network_gbit = 0.1;
  arguments.events_per_second = 0.5;
  arguments.event_bytes = 10'000;
  arguments.cores = 1024;
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(first_limit(plan), Resource::network);
  EXPECT_LE(plan.network_bits, 0.1e9 * costs::kNetworkShare * 1.001);  // clients are whole
}

TEST(SizePlan, ProcessorsDecideWhenThereAreManyEvents) {
  SizeArguments arguments = for_clients(100'000);
  arguments.events_per_second = 50;
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(first_limit(plan), Resource::cpu);
  EXPECT_LE(plan.cpu_cores, arguments.cores * costs::kCpuShare);
}

TEST(SizePlan, AnEventForEverybodyNeedsMoreThanTheAverage) {
  SizeArguments arguments = for_clients(10e6);
  arguments.memory_bytes = 1e12;
  arguments.descriptors = 1e9;
  arguments.fan_out_within_s = 0.1;
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(first_limit(plan), Resource::fan_out);
  EXPECT_LE(plan.fan_out_s, 0.1);
  EXPECT_LT(plan.cpu_cores, arguments.cores * costs::kCpuShare / 10);
}

TEST(SizePlan, DescriptorsDecideWhenAProcessMayHaveFew) {
  SizeArguments arguments = for_clients(100'000);
  arguments.descriptors = 10'096;
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(first_limit(plan), Resource::descriptors);
  EXPECT_EQ(plan.instances, 11);
  EXPECT_EQ(plan.clients_each, 10'000);
}

TEST(SizePlan, OneAddressOfAProxyHasPortsForSoManyConnections) {
  SizeArguments arguments = for_clients(645'121);
  arguments.proxy_addresses = 1;
  arguments.memory_bytes = 1e12;
  arguments.cores = 1024;
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(first_limit(plan), Resource::proxy_ports);
  EXPECT_EQ(plan.instances, 12);  // 10 x 64,512 is one too few
  EXPECT_EQ(plan.proxy_addresses, 1);
}

TEST(SizePlan, ReturningClientsDecideWhenTheyMayNotWait) {
  SizeArguments arguments = for_clients(1e6);
  arguments.memory_bytes = 1e12;
  arguments.reconnect_within_s = 1;
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(first_limit(plan), Resource::reconnect);
  EXPECT_LE(plan.reconnect_s, 1);
}

TEST(SizePlan, ARollingDeployDecidesWhenItIsFast) {
  SizeArguments arguments = for_clients(1e6);
  arguments.memory_bytes = 1e12;
  arguments.deploy_spread_s = 1;
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(first_limit(plan), Resource::deploy);
  EXPECT_EQ(plan.deploy_s, plan.instances);
}

TEST(SizePlan, TlsNeedsMoreMemoryThanNone) {
  SizeArguments arguments = for_clients(1e6);
  const double with_tls = plan_of(arguments).ours_bytes;
  arguments.no_tls = true;
  EXPECT_GT(with_tls, 2 * plan_of(arguments).ours_bytes);
}

TEST(SizePlan, TheBrokerSendsATopicOnlyToInstancesWithSubscribers) {
  SizeArguments arguments = for_clients(1e6);
  arguments.topics = 1000;
  arguments.events_per_second = 1;
  arguments.event_bytes = 250;
  const SizePlan everywhere = plan_of(arguments);
  const double copy = 8 * (250 + costs::kBrokerCopyBytes) * 1000;
  EXPECT_DOUBLE_EQ(everywhere.broker_out_bits, copy * everywhere.instances);
  arguments.clients = {2000};  // two subscribers a topic, and ten instances
  arguments.instances_spare = 9;
  const SizePlan few = plan_of(arguments);
  EXPECT_EQ(few.instances, 10);
  EXPECT_DOUBLE_EQ(few.broker_out_bits, copy * 2);
}

TEST(SizePlan, EachInstanceAsksTheNodesOfItsChains) {
  SizeArguments arguments = for_clients(1000);
  arguments.instances_spare = 2;
  arguments.chains = 5;
  // Every 2 s a head, and the logs of a block each 12 s, on three instances.
  EXPECT_DOUBLE_EQ(plan_of(arguments).upstream_calls_per_minute, 3 * 5 * (30 + 5));
  arguments.block_time_s = 0.4;  // polled every 200 ms
  EXPECT_DOUBLE_EQ(plan_of(arguments).upstream_calls_per_minute, 3 * 5 * (300 + 150));
  arguments.calls_per_second = 10;  // forwarded, by any instance
  EXPECT_DOUBLE_EQ(plan_of(arguments).upstream_calls_per_minute, 3 * 5 * (300 + 150) + 600);
}

TEST(SizePlan, SilentClientsCostMemoryAndPings) {
  SizeArguments arguments = for_clients(1e6);
  arguments.subscriptions_per_client = 0;
  const SizePlan plan = plan_of(arguments);
  EXPECT_EQ(plan.deliveries_per_second, 0);
  EXPECT_EQ(plan.fan_out_s, 0);
  EXPECT_GT(plan.network_bits, 0);
}

// What no number of machines carries, and what a broker cannot.
TEST(SizePlan, RelayedEventsThatFillAnInstanceAreAnError) {
  SizeArguments arguments = for_clients(1000);
  arguments.topics = 2000;
  arguments.events_per_second = 100'000;
  arguments.event_bytes = 10;
  EXPECT_THAT(error_of(arguments), AllOf(HasSubstr("before anybody connects"),
                                         HasSubstr("--cores-per-machine 8"), HasSubstr("split --topics")));
}

TEST(SizePlan, CachesThatFillAnInstanceAreAnError) {
  SizeArguments arguments = for_clients(1000);
  arguments.chains = 100;
  arguments.memory_bytes = 1.0 * (1 << 30);
  EXPECT_THAT(error_of(arguments),
              AllOf(HasSubstr("GiB before anybody connects"), HasSubstr("--memory-per-machine 1 GiB"),
                    HasSubstr("lower --chains")));
}

TEST(SizePlan, ABrokerThatCannotSendToAllInstancesIsAnError) {
  SizeArguments arguments = for_clients(1e9);
  arguments.topics = 100;
  arguments.events_per_second = 10;
  arguments.network_gbit = 1;
  EXPECT_THAT(error_of(arguments),
              AllOf(HasSubstr("1,000 events a second"), HasSubstr("split --topics over several fleets")));
}

TEST(SizePlan, MoreMachinesThanAnybodyHasAreAnError) {
  SizeArguments arguments = for_clients(1e10);
  arguments.subscriptions_per_client = 10'000;
  arguments.events_per_second = 1e6;
  arguments.event_bytes = 1 << 20;
  EXPECT_THAT(error_of(arguments),
              AllOf(HasSubstr("10,000,000,000 clients need more than 1,000,000 machines"),
                    HasSubstr("fewer events")));
}

TEST(SizePlan, TheLargestNumbersGiveFiniteOnes) {
  SizeArguments arguments = for_clients(1e10);
  arguments.cores = 1024;
  arguments.memory_bytes = 1e15;
  arguments.network_gbit = 10'000;
  arguments.descriptors = 1e9;
  const SizePlan plan = plan_of(arguments);
  for (const double number : {plan.instances, plan.ours_bytes, plan.kernel_bytes, plan.network_bits_all,
                              plan.deliveries_per_second, plan.reconnect_s}) {
    EXPECT_TRUE(std::isfinite(number));
    EXPECT_GT(number, 0);
  }
}

// Every plan holds what it promises, and the order of its limits is that of their capacities.
TEST(SizePlan, APlanCarriesItsClientsAndOneInstanceLessDoesNot) {
  for (const double clients : {1.0, 10'000.0, 1e6, 1e8}) {
    for (const double events : {0.01, 1.0, 20.0}) {
      SizeArguments arguments = for_clients(clients);
      arguments.events_per_second = events;
      const SizePlan plan = plan_of(arguments);
      double most = 1;
      double before = 0;
      for (const ResourcePlan& each : plan.resources) {
        EXPECT_GE(each.clients_max, clients);
        EXPECT_GE(each.clients_max, before);
        before = each.clients_max;
        most = std::max(most, each.instances);
      }
      EXPECT_EQ(plan.instances, most + 1);
    }
  }
}

}  // namespace
}  // namespace fanfare::app
