#include "gateway/welcome.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

#include "gateway/dev_node.h"
#include "gateway/duration.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

// The address of one listener for people. A path is appended to each.
struct Door {
  std::string curl;       // "http://127.0.0.1:4000", "--unix-socket /run/x.sock http://localhost"
  std::string websocket;  // "ws://127.0.0.1:4000", "ws+unix:/run/x.sock:"
  bool is_unix = false;
};

Door door_of(const ListenerPlan& listener, const net::Address& address) {
  const std::string secure = listener.at.tls ? "s" : "";
  if (address.family() == AF_UNIX) {
    return {.curl = "--unix-socket " + address.host() + " http" + secure + "://localhost",
            .websocket = "ws+unix:" + address.host() + ":",
            .is_unix = true};
  }
  return {.curl = "http" + secure + "://" + address.text(),
          .websocket = "ws" + secure + "://" + address.text()};
}

// The first listener that matches, a port before a Unix socket; empty if none does.
template <typename Fits>
std::optional<Door> find_door(const ServePlan& plan, const std::vector<net::Address>& addresses, Fits fits) {
  std::optional<Door> found;
  for (std::size_t i = 0; i < plan.listeners.size(); ++i) {
    if (!fits(plan.listeners[i])) continue;
    Door door = door_of(plan.listeners[i], addresses[i]);
    if (!found || (found->is_unix && !door.is_unix)) found = std::move(door);
  }
  return found;
}

std::string things_to_try(const std::vector<std::string>& commands) {
  constexpr std::array<std::string_view, 4> kCounts = {"", "One thing", "Two things", "Three things"};
  std::string text = "\n" + std::string(kCounts.at(commands.size())) + " to try:\n";
  for (const std::string& command : commands) text += "  " + command + "\n";
  return text;
}

// The path under which a network is served. "" if it has its own ports.
std::string path_of(const ServePlan& plan, const NetworkPlan& network) {
  if (!is_routed(plan.listeners.front())) return "";
  return "/" + network.project + "/evm/" + (network.chain_id ? std::to_string(*network.chain_id) : "1");
}

// One line for each network: its name, its path if it has one, and its state.
std::string networks_text(const ServePlan& plan, const std::vector<NetworkState>& states) {
  std::size_t names = 0;
  std::size_t paths = 0;
  for (std::size_t i = 0; i < states.size(); ++i) {
    names = std::max(names, states[i].name.size());
    paths = std::max(paths, path_of(plan, plan.networks[i]).size());
  }
  const auto padded = [](std::string text, std::size_t width) {
    text.resize(width == 0 ? 0 : std::max(width, text.size()) + 2, ' ');
    return text;
  };
  std::string text = states.size() == 1 ? "\nNetwork:\n" : "\nNetworks:\n";
  for (std::size_t i = 0; i < states.size(); ++i) {
    text += "  " + padded(states[i].name, names) + padded(path_of(plan, plan.networks[i]), paths) +
            states[i].text + "\n";
  }
  return text;
}

// What a user needs for a development chain. The keys are derived from the seed and are valid nowhere else.
std::string chain_text(const NetworkPlan& network) {
  const auto* dev = std::get_if<DevBackend>(&network.backend);
  if (dev == nullptr || !network.chain_id) return "";
  const devchain::Options options = dev_options(*dev, *network.chain_id);
  const auto accounts = devchain::DevChain::accounts_of(options);
  std::string text = "\nDevelopment chain, chain id " + std::to_string(options.chain_id) +
                     ", a block every " + format_duration(options.block_time) +
                     ". It has no EVM:\nether and its built-in tokens move, nothing else runs.\n\n" +
                     std::to_string(accounts.size()) + " accounts with " +
                     std::to_string(devchain::DevChain::kEtherOfAccount) +
                     " ether each, and their keys (for this chain only):\n";
  for (const auto& account : accounts) text += "  " + account.address + "  " + account.private_key + "\n";
  return text;
}

std::string streams_text(const ServePlan& plan, const std::vector<net::Address>& addresses) {
  std::string text;
  const auto streams = find_door(plan, addresses, [](const ListenerPlan& listener) {
    return serves_streams(listener) && !serves_only_streams(listener);
  });
  if (streams && !streams->is_unix) text += "  Streams        " + streams->websocket + "/streams\n";
  for (std::size_t i = 0; i < plan.listeners.size(); ++i) {
    if (!serves_only_streams(plan.listeners[i])) continue;
    text += "  Streams        " + door_of(plan.listeners[i], addresses[i]).websocket + "\n";
  }
  return text;
}

std::string canvas_text(const ServePlan& plan, const std::vector<net::Address>& addresses) {
  const auto door = find_door(plan, addresses, serves_canvas);
  if (!plan.canvas || !door || door->is_unix) return "";
  std::string text;
  for (const auto& room : plan.canvas->rooms) {
    text += "  Canvas         " + door->websocket + "/canvas/" + room.spec.name + "\n";
  }
  return text;
}

}  // namespace

std::string welcome_text(const ServePlan& plan, const std::vector<net::Address>& addresses,
                         const std::vector<NetworkState>& states, std::string_view program) {
  // Without a network, only the streams are served.
  const bool has_networks = !plan.networks.empty();
  const auto has_websocket = [&](const ListenerPlan& listener) {
    return plan.websocket.enabled && serves_websocket(listener);
  };
  const auto http = find_door(plan, addresses, serves_http);
  const auto websocket = find_door(plan, addresses, has_websocket);
  const auto only_websocket = find_door(plan, addresses, [&](const ListenerPlan& listener) {
    return has_websocket(listener) && !serves_http(listener);
  });
  const auto web = find_door(plan, addresses, serves_web);
  auto pages = find_door(plan, addresses, [](const ListenerPlan& listener) {
    return !serves_http(listener) && serves_metrics(listener);
  });
  if (!pages) pages = http;
  const bool has_metrics = std::ranges::any_of(plan.listeners, serves_metrics);
  const std::string path = has_networks ? path_of(plan, plan.networks.front()) : "";
  const bool is_ready = std::ranges::all_of(states, &NetworkState::ready);

  std::string text =
      is_ready ? "\nFanfare is ready.\n" : "\nFanfare listens, but cannot follow every chain yet.\n";
  std::vector<std::string> commands;
  if (web && !web->is_unix) text += "  Dashboard      " + web->curl + "/\n";
  if (http && has_networks) {
    if (!http->is_unix) text += "  HTTP JSON-RPC  " + http->curl + path + "\n";
    commands.push_back("curl -s -H 'content-type: application/json' " + http->curl + path +
                       " -d '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\"}'");
  }
  if (websocket && has_networks) {
    if (!websocket->is_unix) {
      text += "  WebSocket      " + websocket->websocket + path;
      const bool has_alias = only_websocket && only_websocket->websocket != websocket->websocket;
      text += has_alias ? "   (also " + only_websocket->websocket + path + ")\n" : "\n";
    }
    commands.push_back(
        std::string(program) +
        " connect -n 4 -x "
        "'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"newHeads\"]}' " +
        websocket->websocket + path);
  }
  text += streams_text(plan, addresses);
  text += canvas_text(plan, addresses);
  for (const net::Address& address : addresses) {
    if (address.family() == AF_UNIX) text += "  Unix socket    " + address.host() + "\n";
  }
  if (pages) {
    if (!pages->is_unix && has_metrics) {
      text += "  Metrics        " + pages->curl + "/metrics   (also /healthz, /readyz)\n";
    } else if (!pages->is_unix) {
      text += "  Health         " + pages->curl + "/healthz   (also /readyz)\n";
    }
    commands.push_back("curl -s " + pages->curl + "/readyz");
  }
  if (has_networks) text += networks_text(plan, states);
  for (const NetworkPlan& network : plan.networks) text += chain_text(network);
  return text + things_to_try(commands) + "\nStop it with Ctrl-C.\n";
}

}  // namespace fanfare::gateway
