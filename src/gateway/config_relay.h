#pragma once
// `relay:` of the configuration file, and what its streams need of it: docs/configuration.md and docs/relay.md.

#include <optional>
#include <string>

#include "fanfare/nats.h"
#include "gateway/config_fields.h"
#include "gateway/config_streams.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// `relay:` of the whole file, if it is there. After the streams, which need not be there.
void read_relay(const ReadContext& context, const MapFields& file,
                const std::optional<StreamsConfig>& streams, std::optional<NatsOptions>& out);

// What `server.websocket.relaySessions` needs.
void check_relayed_sessions(const ReadContext& context, const MapFields& file,
                            const WebSocketSettings& websocket, bool has_relay);

}  // namespace fanfare::gateway
