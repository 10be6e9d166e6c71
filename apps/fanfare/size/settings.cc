#include "size/settings.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "size/costs.h"

namespace fanfare::app {
namespace {

constexpr double kPageBytes = 4096;
// As `fanfare check --system` counts: the least receive and send buffer of a connection.
constexpr double kSocketBytes = 8192;
constexpr double kDescriptorsUsual = 1 << 20;
constexpr double kConnectionsUsual = 10'000;

std::string whole(double number) {
  return std::to_string(static_cast<std::uint64_t>(std::ceil(number)));
}

}  // namespace

std::vector<std::string> kernel_settings(const SizePlan& plan) {
  const double pages =
      std::ceil(std::max(plan.tcp_buffer_bytes, plan.clients_each * kSocketBytes) / kPageBytes);
  std::vector<std::string> lines{"LimitNOFILE=" + whole(plan.descriptors) +
                                 "  (systemctl edit fanfare, in [Service])"};
  if (plan.descriptors > kDescriptorsUsual) lines.push_back("fs.nr_open = " + whole(plan.descriptors));
  lines.insert(lines.end(), {"net.core.somaxconn = 4096", "net.ipv4.tcp_max_syn_backlog = 4096",
                             "net.ipv4.ip_local_port_range = 1024 65535  (also on proxies)",
                             "net.ipv4.tcp_mem = " + whole(pages * 3 / 4) + " " + whole(pages) + " " +
                                 whole(pages * 2) + "  (only if the values there are lower)",
                             "net.netfilter.nf_conntrack_max = " + whole(2 * plan.descriptors) +
                                 "  (only with a firewall)"});
  return lines;
}

std::vector<std::string> configuration_settings(const SizeArguments& arguments, const SizePlan& plan) {
  // What another instance's clients add while it is replaced is in clients_each.
  const std::string connections = whole(std::max(plan.clients_each, kConnectionsUsual));
  std::vector<std::string> lines;
  if (plan.load.chains > 0) lines.push_back("server.websocket.maxConnectionsPerNetwork: " + connections);
  if (plan.load.topics > 0) lines.push_back("streams.limits.connectionsMax: " + connections);
  lines.push_back("server.limits.connectionsMax: " + connections);
  if (arguments.proxy_addresses > 0) {
    lines.emplace_back(
        "server.proxyProtocol: required  (or connectionsPerAddressMax: 0 and connectionsPerSecondPerAddress: "
        "0)");
  }
  lines.push_back("server.shutdownTimeout: " + whole(arguments.deploy_spread_s / kSpreadShare) + "s");
  lines.push_back("server.shutdownClosesPerSecond: " + whole(plan.closes_per_second));
  return lines;
}

}  // namespace fanfare::app
