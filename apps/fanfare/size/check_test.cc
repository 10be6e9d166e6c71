// What `fanfare size` refuses. Each error names the option, its value, the limit and what to do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "size/plan.h"

namespace fanfare::app {
namespace {

using Change = void (*)(SizeArguments&);

std::string error_after(Change change) {
  SizeArguments arguments;
  arguments.clients = {1000};
  change(arguments);
  const auto checked = check_size(arguments);
  return checked ? "" : checked.error();
}

TEST(SizeCheck, DefaultsAreInRange) {
  EXPECT_EQ(error_after([](SizeArguments&) {}), "");
}

TEST(SizeCheck, Zero) {
  EXPECT_EQ(error_after([](SizeArguments& to) { to.clients = {0}; }), "--clients 0 is below 1");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.event_bytes = 0; }), "--event-bytes 0 is below 1");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.cores = 0; }), "--cores-per-machine 0 is below 1");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.memory_bytes = 0; }),
            "--memory-per-machine 0 is below 268,435,456");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.network_gbit = 0; }), "--network-gbit 0 is below 0.001");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.block_time_s = 0; }), "--block-time 0 is below 0.05");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.deploy_spread_s = 0; }), "--deploy-spread 0 is below 1");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.reconnect_within_s = 0; }),
            "--reconnect-within 0 is below 1");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.fan_out_within_s = 0; }),
            "--fan-out-within 0 is below 0.001");
}

TEST(SizeCheck, ZeroWhereItMeansNone) {
  EXPECT_EQ(error_after([](SizeArguments& to) {
              to.subscriptions_per_client = 0;
              to.events_per_second = 0;
              to.instances_spare = 0;
              to.proxy_addresses = 0;
              to.calls_per_second = 0;
            }),
            "");
}

TEST(SizeCheck, HugeNumbers) {
  EXPECT_EQ(error_after([](SizeArguments& to) { to.clients = {1000, 1e11}; }),
            "--clients 100,000,000,000 is above 10,000,000,000: there are not that many people");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.clients = {std::numeric_limits<double>::infinity()}; }),
            "--clients inf is above 10,000,000,000: there are not that many people");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.clients = {std::numeric_limits<double>::quiet_NaN()}; }),
            "--clients nan is below 1");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.topics = 2001; }),
            "--topics 2,001 is above 2,000: each is a stream and a Raft group of the broker. Put many values "
            "into one topic, or use several "
            "fleets with a broker each");
  EXPECT_EQ(error_after([](SizeArguments& to) {
              to.events_per_second = 1e300;
            }).find("--events-per-second 1,000,000,000"),
            0U);
  EXPECT_EQ(error_after([](SizeArguments& to) { to.subscriptions_per_client = 10'001; }),
            "--subscriptions-per-client 10,001 is above 10,000: use one subscription with a wider filter, or "
            "one topic for many values");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.cores = 1025; }),
            "--cores-per-machine 1,025 is above 1,024: a server has at most 1,024 event loops");
}

TEST(SizeCheck, TheSettingsOfAPlanArePossible) {
  EXPECT_EQ(error_after([](SizeArguments& to) { to.deploy_spread_s = 2520; }), "");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.deploy_spread_s = 2521; }),
            "--deploy-spread 2,521 is above 2,520: server.shutdownTimeout is an hour at most, and a stop "
            "uses 0.7 of it");
}

TEST(SizeCheck, Fractions) {
  EXPECT_EQ(error_after([](SizeArguments& to) { to.clients = {1.0001}; }),
            "--clients 1.0001 is not a whole number");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.clients = {1.5}; }),
            "--clients 1.5 is not a whole number");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.instances_spare = 0.5; }),
            "--instances-spare 0.5 is not a whole number");
  // On average.
  EXPECT_EQ(error_after([](SizeArguments& to) { to.subscriptions_per_client = 0.5; }), "");
}

TEST(SizeCheck, Contradictions) {
  EXPECT_EQ(error_after([](SizeArguments& to) {
              to.subscriptions_per_client = 0;
              to.events_per_second = 3;
            }),
            "--events-per-second 3 with --subscriptions-per-client 0: who does not subscribe gets no event. "
            "Leave one of them out");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.chains = 0; }),
            "--topics 0 and --chains 0: there is nothing to subscribe to. Give one of them, or "
            "--subscriptions-per-client 0");
  EXPECT_EQ(error_after([](SizeArguments& to) {
              to.topics = 3;
              to.subscriptions_per_client = 4;
              to.events_per_second = 1;
            }),
            "--subscriptions-per-client 4 is above --topics 3: a client subscribes to a topic once. Raise "
            "--topics, or give --chains");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.topics = 3; }),
            "--topics 3 without a chain: give --events-per-second, how many events one of them has");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.json = to.markdown = true; }),
            "--json and --markdown: give one of them");
  EXPECT_EQ(error_after([](SizeArguments& to) { to.tls = to.no_tls = true; }),
            "--tls and --no-tls: give one of them");
}

// Several log filters of a chain are usual.
TEST(SizeCheck, AClientMayHaveMoreSubscriptionsThanThereAreChains) {
  EXPECT_EQ(error_after([](SizeArguments& to) { to.subscriptions_per_client = 20; }), "");
}

}  // namespace
}  // namespace fanfare::app
