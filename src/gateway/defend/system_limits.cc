#include "gateway/defend/system_limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/log.h"
#include "server/listener.h"

namespace fanfare::gateway {
namespace {

// The listening sockets ask for this backlog (net::ListenOptions::backlog).
constexpr std::uint64_t kBacklog = 4096;
constexpr std::uint64_t kSynBacklog = 4096;
// The kernel's buffers of a connection that waits: its least receive and send buffer.
constexpr std::uint64_t kSocketBytes = std::uint64_t{8} << 10;
// A port is free again a minute after its connection has ended.
constexpr std::uint64_t kPortsPerConnection = 4;

using Numbers = std::vector<std::uint64_t>;

std::optional<std::string> line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  std::ranges::replace(line, '\t', ' ');
  return line;
}

// "max" is left out.
Numbers numbers_in(const std::string& line) {
  std::istringstream text(line);
  Numbers numbers;
  for (std::uint64_t number = 0; text >> number;) numbers.push_back(number);
  return numbers;
}

std::string sysctl_command(std::string_view name, const std::string& value) {
  const std::string setting = std::string(name) + "=" + value;
  return "sysctl -w '" + setting + "' && echo '" + setting + "' >> /etc/sysctl.d/60-fanfare.conf";
}

class Reader {
 public:
  explicit Reader(const KernelFiles& files) : files_(files) {}

  // A file of /proc/sys: the name with "." for "/".
  SystemLimit sysctl(std::string_view name) const {
    std::string path(name);
    std::ranges::replace(path, '.', '/');
    return {.name = std::string(name), .value = line_of(files_.proc + "/sys/" + path).value_or("")};
  }
  void add(SystemLimit limit) {
    if (!limit.value.empty()) limits_.push_back(std::move(limit));
  }
  std::vector<SystemLimit> take() { return std::move(limits_); }

 private:
  const KernelFiles& files_;
  std::vector<SystemLimit> limits_;
};

// A limit that is one number, of which `needed` is needed.
SystemLimit compared(SystemLimit limit, std::uint64_t needed, std::string effect) {
  const Numbers numbers = numbers_in(limit.value);
  limit.needed = std::to_string(needed);
  limit.is_low = !numbers.empty() && numbers.front() < needed;
  limit.effect = std::move(effect);
  limit.command = sysctl_command(limit.name, limit.needed);
  return limit;
}

SystemLimit descriptors(const SystemNeeds& needs, std::uint64_t have) {
  const std::string needed = std::to_string(needs.descriptors());
  return {
      .name = "nofile",
      .value = std::to_string(have),
      .needed = needed,
      .is_low = have < needs.descriptors(),
      .effect = "further connections are closed until others end; some descriptors are kept for the operator",
      .command = "under systemd: systemctl edit fanfare, with the lines [Service] and LimitNOFILE=" + needed +
                 "; in a shell: ulimit -Hn " + needed};
}

SystemLimit tcp_memory(SystemLimit limit, const SystemNeeds& needs) {
  const Numbers pages = numbers_in(limit.value);
  if (pages.size() < 3) return {};
  const std::uint64_t needed = (needs.clients + needs.upstream_connections) * kSocketBytes /
                               static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  limit.needed = "at least " + std::to_string(needed) + " pages in the second place";
  limit.is_low = pages[1] < needed;
  limit.effect = "the kernel shrinks the buffers of all connections, which become slow";
  limit.command = sysctl_command(limit.name, std::to_string(needed * 3 / 4) + " " + std::to_string(needed) +
                                                 " " + std::to_string(std::max(pages[2], needed * 2)));
  return limit;
}

SystemLimit ports(SystemLimit limit, const SystemNeeds& needs) {
  const Numbers range = numbers_in(limit.value);
  if (range.size() < 2) return {};
  const std::uint64_t have = range[1] < range[0] ? 0 : range[1] - range[0] + 1;
  const std::uint64_t needed = needs.ports_to_one_node * kPortsPerConnection;
  limit.needed = std::to_string(needed) + " ports";
  limit.is_low = have < needed;
  limit.effect = "connections to a node fail with \"Cannot assign requested address\"";
  limit.command = sysctl_command(limit.name, "1024 65535");
  return limit;
}

SystemLimit tasks(const SystemNeeds& needs, const KernelFiles& files) {
  const auto group = memory_cgroup(files);
  const auto line = group ? line_of(*group + "/pids.max") : std::nullopt;
  if (!line) return {};
  const Numbers numbers = numbers_in(*line);
  const std::string needed = std::to_string(needs.threads);
  return {.name = "cgroup pids.max",
          .value = *line,
          .needed = needed,
          .is_low = !numbers.empty() && numbers.front() < needs.threads,
          .effect = "the start fails: a thread cannot be created",
          .command = "systemctl edit fanfare, with the lines [Service] and TasksMax=" + needed};
}

SystemLimit memory(const KernelFiles& files) {
  const MemoryCeiling ceiling = memory_ceiling(0, files);
  constexpr std::uint64_t kNeeded = std::uint64_t{256} << 20;
  return {.name = ceiling.source == MemoryCeiling::Source::cgroup ? "cgroup memory.max" : "memory",
          .value = ceiling.bytes == 0 ? "" : std::to_string(ceiling.bytes),
          .needed = std::to_string(kNeeded),
          .is_low = ceiling.bytes < kNeeded,
          .effect = "new connections are refused soon (server.memory)",
          .command = "systemctl edit fanfare, with the lines [Service] and MemoryMax=256M, or more"};
}

bool is_reachable(const ServePlan& plan) {
  return std::ranges::any_of(
      plan.listeners, [](const ListenerPlan& listener) { return !server::is_on_loopback(listener.at); });
}

}  // namespace

SystemNeeds needs_of(const ServePlan& plan) {
  SystemNeeds needs;
  needs.clients = plan.accept.connections_max > 0 ? plan.accept.connections_max
                                                  : plan.websocket.connections_per_network_max *
                                                        std::max<std::size_t>(plan.networks.size(), 1);
  const auto add = [&](const UpstreamPlan& upstream) {
    const std::uint64_t connections = upstream.limits.client_calls_max + upstream.limits.source_calls_max;
    needs.upstream_connections += connections;
    needs.ports_to_one_node = std::max(needs.ports_to_one_node, connections);
    needs.threads += 2;  // of a node behind WebSocket
  };
  for (const NetworkPlan& network : plan.networks) {
    const auto* const upstreams = std::get_if<UpstreamBackend>(&network.backend);
    if (upstreams != nullptr) std::ranges::for_each(*upstreams, add);
  }
  if (plan.streams) std::ranges::for_each(plan.streams->upstreams, add);
  needs.threads += plan.loops > 0 ? plan.loops : std::max(1U, std::thread::hardware_concurrency());
  needs.threads += std::min(plan.upstream_threads_max, plan.networks.size());
  needs.threads += 16;  // the main thread, this one, rooms and stores
  return needs;
}

std::vector<SystemLimit> system_limits(const SystemNeeds& needs, std::uint64_t have,
                                       const KernelFiles& files) {
  Reader reader(files);
  reader.add(descriptors(needs, have));
  reader.add(compared(reader.sysctl("fs.nr_open"), needs.descriptors(), "nofile cannot be raised above it"));
  reader.add(compared(reader.sysctl("net.core.somaxconn"), kBacklog,
                      "in a burst of new connections some are dropped, and retried after a second"));
  reader.add(compared(reader.sysctl("net.ipv4.tcp_max_syn_backlog"), kSynBacklog,
                      "the same, earlier; or SYN cookies are used"));
  reader.add(tcp_memory(reader.sysctl("net.ipv4.tcp_mem"), needs));
  reader.add(ports(reader.sysctl("net.ipv4.ip_local_port_range"), needs));
  reader.add(compared(reader.sysctl("net.netfilter.nf_conntrack_max"), 2 * needs.descriptors(),
                      "the firewall drops new connections"));
  reader.add(tasks(needs, files));
  reader.add(memory(files));
  return reader.take();
}

std::uint64_t descriptor_limit_max() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 0;
}

std::string describe(const std::vector<SystemLimit>& limits) {
  std::string text;
  for (const SystemLimit& limit : limits) {
    text += (limit.is_low ? "LOW  " : "ok   ") + limit.name + " " + limit.value + ", needed " + limit.needed +
            "\n";
    if (limit.is_low) text += "     effect: " + limit.effect + "\n     raise:  " + limit.command + "\n";
  }
  return text;
}

void log_system_limits(const ServePlan& plan) {
  const log::Level level = is_reachable(plan) ? log::Level::warn : log::Level::info;
  std::string values;
  for (const SystemLimit& limit : system_limits(needs_of(plan), descriptor_limit_max())) {
    values += (values.empty() ? "" : ", ") + limit.name + " " + limit.value;
    if (!limit.is_low) continue;
    log::write(level, "system_limit_low",
               {{"name", limit.name},
                {"value", limit.value},
                {"needed", limit.needed},
                {"effect", limit.effect},
                {"raise", limit.command}});
  }
  log::info("system_limits", {{"values", values}});
}

}  // namespace fanfare::gateway
