#include "admin/render.h"

#include "admin/log_level.h"

namespace fanfare::admin {

void write(Json& json, const ConnectionInfo& connection) {
  json.object([&] {
    json.member("id", connection.id).member("kind", connection.kind).member("address", connection.address);
    json.member("age_s", connection.age_s).member("user_agent", connection.user_agent);
    json.member("principal", connection.principal).member("service", connection.service);
    json.member("project", connection.project).member("network", connection.network);
    json.member("room", connection.room).member("subscriptions", connection.subscriptions);
    json.list("topics", connection.topics).member("bytes_behind", connection.bytes_behind);
    json.member("messages_received", connection.messages_received);
    json.member("messages_sent", connection.messages_sent);
  });
}

void write(Json& json, const ConnectionPage& page, bool is_sorted) {
  json.object([&] {
    json.key("connections").array([&] {
      for (const ConnectionInfo& connection : page.connections) write(json, connection);
    });
    json.key("next");
    if (page.next.empty()) {
      json.null();
    } else {
      json.value(page.next);
    }
    json.key("matched");
    if (is_sorted) {
      json.value(page.matched);
    } else {
      json.null();
    }
  });
}

void write(Json& json, const UpstreamInfo& upstream) {
  json.object([&] {
    json.member("name", upstream.name).member("network", upstream.network).member("url", upstream.url);
    json.member("enabled", upstream.enabled).member("used", upstream.used).member("reason", upstream.reason);
    json.key("head");
    if (upstream.head == 0) {
      json.null();
    } else {
      json.value(upstream.head);
    }
    json.member("lag", upstream.lag).member("latency_s", upstream.latency_s);
    json.member("head_hints", upstream.head_hints);
    json.member("calls", upstream.calls).member("errors", upstream.errors);
    json.key("errors_by_kind").object([&] {
      for (const auto& [kind, count] : upstream.errors_by_kind) json.member(kind, count);
    });
    json.member("can_be_disabled", upstream.can_be_disabled);
  });
}

void write(Json& json, const NetworkInfo& network) {
  json.object([&] {
    json.member("name", network.name).member("project", network.project).member("ready", network.ready);
    json.member("reason", network.reason).member("head", network.head);
    json.member("head_age_s", network.head_age_s).member("connections", network.connections);
    json.member("subscriptions", network.subscriptions).member("requests", network.requests);
    json.member("notifications", network.notifications).member("slow_closed", network.slow_closed);
    json.key("upstreams").array([&] {
      for (const UpstreamInfo& upstream : network.upstreams) write(json, upstream);
    });
  });
}

void write(Json& json, const StreamInfo& stream) {
  json.object([&] {
    json.member("name", stream.name).member("healthy", stream.healthy).member("reason", stream.reason);
    json.member("subscribers", stream.subscribers).member("values", stream.values);
    json.member("missed", stream.missed);
  });
}

void write(Json& json, const RoomInfo& room) {
  json.object([&] {
    json.member("name", room.name).member("healthy", room.healthy).member("reason", room.reason);
    json.member("users", room.users).member("connections", room.connections);
    json.member("pixels", room.pixels).member("tick_interval_s", room.tick_interval_s);
  });
}

void write(Json& json, const DrainStatus& drain) {
  json.object([&] {
    json.member("state", to_string(drain.state)).member("since_s", drain.since_s);
    json.member("spread_s", drain.spread_s).member("closed", drain.closed).member("open", drain.open);
  });
}

void write(Json& json, const ProcessInfo& process, const DrainStatus& drain) {
  json.object([&] {
    json.member("version", process.version).member("uptime_s", process.uptime_s);
    json.member("loops", process.loops).member("loop_kind", process.loop_kind);
    json.member("connections", process.connections).member("memory_bytes", process.memory_bytes);
    json.member("messages_received", process.messages_received);
    json.member("messages_sent", process.messages_sent);
    json.member("bytes_received", process.bytes_received);
    json.member("log_level", log_level_name());
    json.key("drain");
    write(json, drain);
  });
}

void write(Json& json, const ReloadInfo& reload) {
  json.object([&] {
    json.member("applied", reload.applied).list("changes", reload.changes);
    json.list("needs_restart", reload.needs_restart);
  });
}

void write(Json& json, const UpgradeInfo& upgrade) {
  json.object([&] { json.member("pid", static_cast<std::uint64_t>(upgrade.pid)); });
}

}  // namespace fanfare::admin
