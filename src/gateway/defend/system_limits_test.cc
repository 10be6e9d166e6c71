// Limits of the kernel, from files as the kernel writes them.

#include "gateway/defend/system_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace fanfare::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

class SystemLimitsTest : public testing::Test {
 protected:
  SystemLimitsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fanfare-limits-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    files_ = {.proc = folder_ + "/proc", .cgroup = folder_ + "/cgroup"};
    write("proc/meminfo", "MemTotal:        1048576 kB\n");
    write("proc/sys/fs/nr_open", "1048576\n");
    write("proc/sys/net/core/somaxconn", "4096\n");
    write("proc/sys/net/ipv4/tcp_max_syn_backlog", "4096\n");
    write("proc/sys/net/ipv4/tcp_mem", "15000\t20080\t30000\n");
    write("proc/sys/net/ipv4/ip_local_port_range", "32768\t32927\n");
  }
  ~SystemLimitsTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::map<std::string, SystemLimit> limits(std::uint64_t descriptors = 10'136) const {
    std::map<std::string, SystemLimit> by_name;
    for (SystemLimit& limit : system_limits(needs_, descriptors, files_)) by_name[limit.name] = limit;
    return by_name;
  }

  const SystemNeeds needs_{
      .clients = 10'000, .upstream_connections = 40, .ports_to_one_node = 40, .threads = 20};
  std::string folder_;
  KernelFiles files_;
};

TEST_F(SystemLimitsTest, WhatIsJustEnoughIsNotLow) {
  for (const auto& [name, limit] : limits()) EXPECT_FALSE(limit.is_low) << name << " " << limit.value;
  EXPECT_EQ(limits().size(), 7U) << "this machine's firewall and group have no limits";
}

TEST_F(SystemLimitsTest, OneLessIsLowAndHasTheCommand) {
  EXPECT_TRUE(limits(10'135)["nofile"].is_low);
  EXPECT_THAT(limits(10'135)["nofile"].command, HasSubstr("LimitNOFILE=10136"));
  write("proc/sys/net/core/somaxconn", "4095\n");
  EXPECT_TRUE(limits()["net.core.somaxconn"].is_low);
  EXPECT_EQ(limits()["net.core.somaxconn"].command,
            "sysctl -w 'net.core.somaxconn=4096' && echo 'net.core.somaxconn=4096' >> "
            "/etc/sysctl.d/60-fanfare.conf");
  write("proc/sys/net/ipv4/ip_local_port_range", "32768\t32926\n");
  EXPECT_TRUE(limits()["net.ipv4.ip_local_port_range"].is_low);
  write("proc/sys/net/ipv4/tcp_mem", "15000\t20079\t30000\n");
  EXPECT_TRUE(limits()["net.ipv4.tcp_mem"].is_low);
  write("proc/sys/net/netfilter/nf_conntrack_max", "20207\n");
  EXPECT_TRUE(limits()["net.netfilter.nf_conntrack_max"].is_low);
  write("proc/meminfo", "MemTotal:        262143 kB\n");
  EXPECT_TRUE(limits()["memory"].is_low);
}

TEST_F(SystemLimitsTest, TheControlGroupHasLimitsOfItsOwn) {
  write("proc/self/cgroup", "0::/fanfare\n");
  write("cgroup/fanfare/memory.current", "1\n");
  write("cgroup/fanfare/memory.max", "268435456\n");
  write("cgroup/fanfare/pids.max", "max\n");
  EXPECT_FALSE(limits()["cgroup pids.max"].is_low);
  EXPECT_FALSE(limits()["cgroup memory.max"].is_low);
  write("cgroup/fanfare/pids.max", "19\n");
  EXPECT_TRUE(limits()["cgroup pids.max"].is_low);
  write("cgroup/fanfare/memory.max", "268435455\n");
  EXPECT_TRUE(limits()["cgroup memory.max"].is_low);
}

TEST_F(SystemLimitsTest, TheTextHasEffectAndCommandOfLowOnesOnly) {
  std::vector<SystemLimit> all = system_limits(needs_, 100, files_);
  const std::string text = describe(all);
  EXPECT_THAT(text, HasSubstr("LOW  nofile 100, needed 10136\n     effect: "));
  EXPECT_THAT(text, HasSubstr("ok   net.core.somaxconn 4096, needed 4096\n"));
  EXPECT_THAT(text, Not(HasSubstr("net.core.somaxconn=4096")));
}

TEST(SystemNeeds, ComeFromTheConfiguration) {
  ServePlan plan;
  plan.loops = 2;
  plan.websocket.connections_per_network_max = 100;
  const UpstreamPlan node{.limits = {.client_calls_max = 10, .source_calls_max = 5}};
  plan.networks = {{.backend = UpstreamBackend{node, node}}, {.backend = UpstreamBackend{node}}};
  EXPECT_EQ(needs_of(plan).clients, 200U);
  EXPECT_EQ(needs_of(plan).upstream_connections, 45U);
  EXPECT_EQ(needs_of(plan).ports_to_one_node, 15U);
  plan.accept.connections_max = 50;
  EXPECT_EQ(needs_of(plan).clients, 50U);
  EXPECT_EQ(needs_of(plan).descriptors(), 50U + 45 + 64 + 32);
}

}  // namespace
}  // namespace fanfare::gateway
