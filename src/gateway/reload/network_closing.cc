#include "gateway/reload/network_closing.h"

#include <cstdint>
#include <string_view>

#include "base/log.h"
#include "gateway/reload/closing.h"
#include "ws/close_code.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kRemoved = "this network was removed from the configuration";

}  // namespace

void close_clients_of(LiveNetwork& live, session::Server& server, const LoopSites& sites, Duration spread) {
  const std::uint64_t turn = live.turns;
  log::info("network_removed",
            {{"network", live.network.name()}, {"connections", live.network.connections()}});
  Closing::start(
      server,
      [&sites, slot = live.slot](std::size_t loop, const session::Session& session) {
        return &session.endpoint() == &sites.endpoint_of(loop, slot);
      },
      ws::close_code::service_restart, kRemoved, spread, [&live, turn] { return live.turns == turn; },
      [&live, turn] { Networks::leave(live, turn); });
}

}  // namespace fanfare::gateway
