// The gateway as a process: signals, the words on the terminal, the exit code.

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/log.h"
#include "gateway/gateway.h"
#include "gateway/listeners.h"

namespace fanfare::gateway {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

std::string path_of(const ServePlan& plan) {
  const NetworkPlan& network = plan.networks.front();
  return "/" + network.project + "/evm/" + (network.chain_id ? std::to_string(*network.chain_id) : "1");
}

// Where it listens, and three things to try.
void print_welcome(const ServePlan& plan, const Gateway& gateway) {
  std::string http;
  std::string websocket;
  std::string health;
  std::string unix_paths;
  for (std::size_t i = 0; i < plan.listeners.size(); ++i) {
    const std::string at = gateway.addresses()[i].text();
    if (gateway.addresses()[i].family() == AF_UNIX) {
      unix_paths += "  Unix socket    " + gateway.addresses()[i].host() + "\n";
      continue;
    }
    const std::string secure = plan.listeners[i].tls ? "s" : "";
    switch (plan.listeners[i].surface) {
      case Surface::routed:
        http = "http" + secure + "://" + at + path_of(plan);
        websocket = "ws" + secure + "://" + at + path_of(plan);
        health = "http" + secure + "://" + at;
        break;
      case Surface::rpc_http:
        http = health = "http" + secure + "://" + at;
        break;
      case Surface::rpc_websocket:
        websocket = "ws" + secure + "://" + at;
        break;
      case Surface::metrics:
        health = "http" + secure + "://" + at;
        break;
    }
  }
  std::string text = "\nFanfare is up.\n";
  if (!http.empty()) text += "  HTTP JSON-RPC  " + http + "\n";
  if (!websocket.empty()) text += "  WebSocket      " + websocket + "\n";
  text += unix_paths;
  if (health.empty()) {
    std::puts(text.c_str());
    std::fflush(stdout);
    return;
  }
  if (plan.metrics_enabled) {
    text += "  Metrics        " + health + "/metrics   (also /healthz, /readyz)\n";
  } else {
    text += "  Health         " + health + "/healthz   (also /readyz)\n";
  }
  text += "\nThree things to try:\n";
  if (!http.empty()) {
    text += "  curl -s -H 'content-type: application/json' " + http +
            " -d '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\"}'\n";
  }
  if (!websocket.empty()) {
    text +=
        "  wscat -c " + websocket +
        " -w 10 -x '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"newHeads\"]}'\n";
  }
  text += "  curl -s " + health + "/readyz\n\nStop it with Ctrl-C.\n";
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

int run(ServePlan plan) {
  log::set_level(plan.log_level);
  const auto inherited = net::inherited_sockets();
  if (!inherited) {
    log::error("start_failed", {{"error", inherited.error()}});
    return 1;
  }
  take_inherited(plan, *inherited);
  signal(SIGPIPE, SIG_IGN);
  // Blocked before any thread starts, so that only sigwait below sees them.
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Gateway gateway(plan);
  if (const auto started = gateway.start(); !started) {
    log::error("start_failed", {{"error", started.error()}});
    return 1;
  }
  for (std::size_t i = 0; i < plan.listeners.size(); ++i) {
    log::info("listening", {{"address", gateway.addresses()[i].text()},
                            {"loops", gateway.loop_count()},
                            {"loop", gateway.loop_name()},
                            {"inherited", plan.listeners[i].inherited_fd.has_value()}});
  }
  print_welcome(plan, gateway);

  int received = 0;
  for (;;) {
    sigwait(&signals, &received);
    if (received != SIGHUP) break;
    const auto failures = gateway.reload_certificates();
    for (const std::string& failure : failures) {
      log::error("certificate_reload_failed", {{"error", failure}, {"still_used", "the one before"}});
    }
    if (failures.empty()) log::info("certificates_reloaded");
  }
  log::info("stopping", {{"signal", sigabbrev_np(received)},
                         {"deadline_s",
                          std::chrono::duration_cast<std::chrono::seconds>(plan.shutdown_timeout).count()}});
  // From here on another of those that stop has its default effect, the process ends at once: also where it
  // was started with them ignored, as a shell does with what runs behind it. Certificates no longer matter.
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  signal(SIGHUP, SIG_IGN);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const std::size_t dropped = gateway.stop();
  log::info("stopped", {{"connections_dropped", dropped}});
  return 0;
}

}  // namespace fanfare::gateway
