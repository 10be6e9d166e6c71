#pragma once
// The events of a JSON-RPC service (fanfare/rpc.h) are topics of the server's hub: one for each service and name, whose
// frames are whole notifications. The name of a topic has the path at which the service was served first, so that it
// is the same after a restart, and another service's event of the same name is another topic.

#include <string>
#include <string_view>

#include "api/server_impl.h"
#include "fanfare/rpc.h"

namespace fanfare::api {

// Adds a topic for each event of the registry, unless the server serves it already. Before start(). The error names the
// event.
std::string add_event_topics(ServerImpl& server, std::string_view path, const rpc::Registry& registry);

// Any thread. `removed`: the server does not serve the registry.
PublishResult publish_event(ServerImpl& server, const rpc::Registry& registry, std::string_view event,
                            const std::string& json);

// The result of `subscribe`. On the loop of the session.
RpcResult<Json> subscribe_to_event(Session& session, const rpc::Registry& registry, std::string_view event,
                                   std::optional<Position> since);
// False: it was not subscribed.
bool unsubscribe_from_event(Session& session, const rpc::Registry& registry, std::string_view event);
// The notification about events that a subscriber does not get; empty: the topic is no event.
std::string missed_notification(std::string_view topic, const Missed& missed);

// Of the result of `subscribe`.
std::string subscription_schema();

}  // namespace fanfare::api
