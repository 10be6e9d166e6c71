#include "api/rpc_events.h"

#include <algorithm>
#include <utility>

#include "api/connection.h"
#include "fanfare/json.h"
#include "pubsub/hub.h"
#include "rpc/registry.h"
#include "ws/encode.h"

namespace fanfare::api {
namespace {

constexpr std::string_view kPrefix = "rpc.event:";
constexpr int kLimitExceeded = -32005;
constexpr int kInternal = -32603;

// "rpc.event:PATH NAME": neither has a space.
std::string topic_of(std::string_view path, std::string_view event) {
  return std::string(kPrefix).append(path).append(1, ' ').append(event);
}

// Where the server served the registry first; null: nowhere.
const RpcEntry* first_entry(const ServerImpl& server, const rpc::Registry& registry) {
  const auto& entries = server.routes().rpcs;
  const auto found =
      std::ranges::find(entries, &registry, [](const RpcEntry& entry) { return entry.registry.get(); });
  return found == entries.end() ? nullptr : &*found;
}

pubsub::TopicSetup setup_of(const std::string& name, const RpcEvent& about) {
  std::string head = R"({"jsonrpc":"2.0","method":)";
  append_json_string(head, name);
  head += R"(,"params":{"value":)";
  return {.history = about.history,
          .policy = about.slow_readers,
          .stored = about.stored,
          .encode = [head = std::move(head)](Position position, const SharedBytes& payload) {
            std::string text = head;
            text += as_text(payload.view());
            text += R"(,"position":)";
            JsonType<Position>::write(text, position);
            text += "}}";
            return ws::encode_message(ws::Opcode::text, as_bytes(text));
          }};
}

std::shared_ptr<pubsub::Topic> find_topic(const ServerImpl& server, const rpc::Registry& registry,
                                          std::string_view event) {
  const RpcEntry* const entry = first_entry(server, registry);
  if (entry == nullptr || server.hub() == nullptr) return nullptr;
  return server.hub()->find(topic_of(entry->text, event));
}

void add_missed(JsonObject& object, const Missed& missed) {
  object.add("after", missed.after).add("until", missed.until);
  if (missed.is_counted()) object.add("count", missed.count());
}

RpcResult<Json> refuse(JoinError error) {
  if (error == JoinError::topics_full)
    return rpc_error(kLimitExceeded, "too many subscriptions of this connection");
  return rpc_error(kInternal, "the connection or the server is closing");
}

}  // namespace

std::string add_event_topics(ServerImpl& server, std::string_view path, const rpc::Registry& registry) {
  if (first_entry(server, registry) != nullptr) return {};
  for (const auto& [name, event] : registry.events()) {
    if (server.hub() == nullptr) server.add_hub({});
    const auto added = server.hub()->add(topic_of(path, name), setup_of(name, event.about));
    if (!added) return "the event \"" + name + "\": " + added.error();
  }
  return {};
}

PublishResult publish_event(ServerImpl& server, const rpc::Registry& registry, std::string_view event,
                            const std::string& json) {
  const auto topic = find_topic(server, registry, event);
  if (topic == nullptr) return PublishResult::removed;
  return server.publish(topic, SharedBytes(as_bytes(json)), {});
}

RpcResult<Json> subscribe_to_event(Session& session, const rpc::Registry& registry, std::string_view event,
                                   std::optional<Position> since) {
  Connection& connection = Connection::of(session);
  const auto topic = find_topic(Connection::loop_context().impl(), registry, event);
  if (topic == nullptr) return refuse(JoinError::removed);
  connection.leave(*topic);  // a repeated subscription begins again
  const auto joined = connection.join(topic, {.since = since});
  if (!joined) return refuse(joined.error());
  JsonObject result;
  result.add("event", event).add("position", joined->position).add("recovered", joined->recovered);
  if (joined->missing) {
    JsonObject missed;
    add_missed(missed, *joined->missing);
    result.add("missed", missed.json());
  }
  return result.json();
}

bool unsubscribe_from_event(Session& session, const rpc::Registry& registry, std::string_view event) {
  const auto topic = find_topic(Connection::loop_context().impl(), registry, event);
  return topic != nullptr && Connection::of(session).leave(*topic);
}

std::string missed_notification(std::string_view topic, const Missed& missed) {
  if (!topic.starts_with(kPrefix)) return {};
  JsonObject params;
  params.add("event", topic.substr(topic.rfind(' ') + 1));
  add_missed(params, missed);
  return JsonObject().add("jsonrpc", "2.0").add("method", "rpc.missed").add("params", params.json()).text();
}

std::string subscription_schema() {
  const std::string position = JsonType<Position>::schema();
  return R"({"type":"object","required":["event","position","recovered"],"properties":{"event":{"type":"string"},)"
         R"("position":)" +
         position +
         R"(,"recovered":{"type":"boolean"},"missed":{"type":"object","required":["after","until"],)" +
         R"("properties":{"after":)" + position + R"(,"until":)" + position +
         R"(,"count":{"type":"integer","minimum":0}}}}})";
}

}  // namespace fanfare::api
