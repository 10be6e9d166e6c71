// The OpenAPI document of the admin API: the routes (routes.cc) and the schemas of what they take and answer.

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "admin/json.h"
#include "admin/routes.h"

namespace fanfare::admin {
namespace {

enum class Kind : std::uint8_t {
  text,
  number,
  integer,
  boolean,
  object,
  texts,
  text_or_null,
  number_or_null,
  integer_or_null,
  one_of,   // another schema
  list_of,  // of another schema
};

struct Property {
  std::string_view schema;
  std::string_view name;
  Kind kind;
  std::string_view other;  // schema
  std::string_view about;  // may be empty
};

constexpr Property kProperties[] = {
    {"Connection", "id", Kind::text, "", "LOOP-SLOT-GENERATION"},
    {"Connection", "kind", Kind::text, "", "websocket, http or opening"},
    {"Connection", "address", Kind::text, "", "address and port, of the client or as its proxy announced it"},
    {"Connection", "age_s", Kind::number, "", "since it was accepted"},
    {"Connection", "user_agent", Kind::text, "", "empty: none was sent"},
    {"Connection", "principal", Kind::text, "", "the authenticated identity; empty: none"},
    {"Connection", "service", Kind::text, "", "rpc, streams or canvas; empty: plain HTTP"},
    {"Connection", "project", Kind::text, "", ""},
    {"Connection", "network", Kind::text, "", "PROJECT/CHAIN"},
    {"Connection", "room", Kind::text, "", ""},
    {"Connection", "subscriptions", Kind::integer, "", "all of them"},
    {"Connection", "topics", Kind::texts, "", "of the first subscriptions"},
    {"Connection", "bytes_behind", Kind::integer, "", "queued, and not taken by the system"},
    {"Connection", "messages_received", Kind::integer, "", "HTTP requests count"},
    {"Connection", "messages_sent", Kind::integer, "", ""},
    {"ConnectionPage", "connections", Kind::list_of, "Connection", ""},
    {"ConnectionPage", "next", Kind::text_or_null, "", "cursor of the next page; null: this is the last one"},
    {"ConnectionPage", "matched", Kind::integer_or_null, "",
     "in a sorted list: of all connections; otherwise null"},
    {"Upstream", "name", Kind::text, "", ""},
    {"Upstream", "network", Kind::text, "", "PROJECT/CHAIN"},
    {"Upstream", "url", Kind::text, "", "without secrets"},
    {"Upstream", "enabled", Kind::boolean, "", ""},
    {"Upstream", "used", Kind::boolean, "", "whether calls are sent to it"},
    {"Upstream", "reason", Kind::text, "",
     "why it is not used or comes after others; empty: nothing is wrong"},
    {"Upstream", "head", Kind::integer_or_null, "", "number of its newest block; null: unknown"},
    {"Upstream", "lag", Kind::integer, "", "blocks behind the best one"},
    {"Upstream", "latency_s", Kind::number, "", "smoothed"},
    {"Upstream", "head_hints", Kind::text, "",
     "live: it announces its blocks over WebSocket before polls find them; silent: it is subscribed to, and "
     "does not; none: with the reason; empty: it is not asked"},
    {"Upstream", "calls", Kind::integer, "", ""},
    {"Upstream", "errors", Kind::integer, "", "calls without an answer"},
    {"Upstream", "errors_by_kind", Kind::object, "", ""},
    {"Upstream", "can_be_disabled", Kind::boolean, "", ""},
    {"Network", "name", Kind::text, "", "PROJECT/CHAIN"},
    {"Network", "project", Kind::text, "", ""},
    {"Network", "ready", Kind::boolean, "", ""},
    {"Network", "reason", Kind::text, "", "why not, or the problem of an upstream"},
    {"Network", "head", Kind::integer, "", ""},
    {"Network", "head_age_s", Kind::number_or_null, "", ""},
    {"Network", "connections", Kind::integer, "", "WebSockets"},
    {"Network", "subscriptions", Kind::integer, "", ""},
    {"Network", "requests", Kind::integer, "", "so far"},
    {"Network", "notifications", Kind::integer, "", "so far"},
    {"Network", "slow_closed", Kind::integer, "", "so far"},
    {"Network", "upstreams", Kind::list_of, "Upstream", ""},
    {"NetworkList", "networks", Kind::list_of, "Network", ""},
    {"UpstreamList", "upstreams", Kind::list_of, "Upstream", ""},
    {"UpstreamSwitch", "enabled", Kind::boolean, "", ""},
    {"UpstreamSwitch", "force", Kind::boolean, "", "also the last one that is enabled"},
    {"Stream", "name", Kind::text, "", ""},
    {"Stream", "healthy", Kind::boolean, "", "its node can be polled"},
    {"Stream", "reason", Kind::text, "", ""},
    {"Stream", "subscribers", Kind::integer, "", ""},
    {"Stream", "values", Kind::integer, "", "so far"},
    {"Stream", "missed", Kind::integer, "", "so far"},
    {"StreamList", "streams", Kind::list_of, "Stream", ""},
    {"Room", "name", Kind::text, "", ""},
    {"Room", "healthy", Kind::boolean, "", "its file can be written"},
    {"Room", "reason", Kind::text, "", ""},
    {"Room", "users", Kind::integer, "", ""},
    {"Room", "connections", Kind::integer, "", ""},
    {"Room", "pixels", Kind::integer, "", "so far"},
    {"Room", "tick_interval_s", Kind::number, "", ""},
    {"RoomList", "rooms", Kind::list_of, "Room", ""},
    {"Drain", "state", Kind::text, "", "off, draining or drained"},
    {"Drain", "since_s", Kind::number, "", ""},
    {"Drain", "spread_s", Kind::number, "", ""},
    {"Drain", "closed", Kind::integer, "", "WebSockets closed by it"},
    {"Drain", "open", Kind::integer, "", "WebSockets that it has still to close"},
    {"DrainBegin", "spread_s", Kind::number, "", "0 to 3600; by default 30"},
    {"DrainBegin", "reason", Kind::text, "", "for the clients, at most 123 bytes"},
    {"LogLevel", "level", Kind::text, "", "trace, debug, info, warn, error or off"},
    {"Status", "version", Kind::text, "", ""},
    {"Status", "uptime_s", Kind::number, "", ""},
    {"Status", "loops", Kind::integer, "", "threads"},
    {"Status", "loop_kind", Kind::text, "", "epoll or io_uring"},
    {"Status", "connections", Kind::integer, "", "of all kinds"},
    {"Status", "memory_bytes", Kind::integer, "", "in RAM"},
    {"Status", "messages_received", Kind::integer, "", ""},
    {"Status", "messages_sent", Kind::integer, "", ""},
    {"Status", "bytes_received", Kind::integer, "", ""},
    {"Status", "log_level", Kind::text, "", ""},
    {"Status", "drain", Kind::one_of, "Drain", ""},
    {"Configuration", "summary", Kind::texts, "", "as fanfare check prints it"},
    {"Configuration", "settings", Kind::object, "", ""},
    {"Reload", "applied", Kind::boolean, "", ""},
    {"Reload", "changes", Kind::texts, "", ""},
    {"Reload", "needs_restart", Kind::texts, "", "settings that keep their old value until a restart"},
    {"Upgrade", "pid", Kind::integer, "", "of the process that has taken over"},
    {"Closed", "closed", Kind::text, "", "the connection's id"},
    {"OpenApi", "openapi", Kind::text, "", ""},
    {"OpenApi", "info", Kind::object, "", ""},
    {"OpenApi", "paths", Kind::object, "", ""},
    {"OpenApi", "components", Kind::object, "", ""},
    {"Problem", "type", Kind::text, "", ""},
    {"Problem", "title", Kind::text, "", ""},
    {"Problem", "status", Kind::integer, "", ""},
    {"Problem", "detail", Kind::text, "", ""},
    {"Problem", "parameter", Kind::text, "", "the offending one"},
    {"Problem", "value", Kind::text, "", "the offending one"},
    {"Problem", "errors", Kind::texts, "", ""},
};

// Members that need not be there: of what is sent, and of a problem.
constexpr std::string_view kOptional[] = {"UpstreamSwitch.force", "DrainBegin.spread_s", "DrainBegin.reason",
                                          "Problem.parameter",    "Problem.value",       "Problem.errors"};

struct QueryParameter {
  std::string_view name;
  std::string_view about;
};
constexpr QueryParameter kQueryParameters[] = {
    {"limit", "1 to 1000; by default 100"},
    {"cursor", "next of the page before"},
    {"sort", "behind, age, received, sent or subscriptions: the greatest first, one page"},
    {"q", "part of anything that is shown"},
    {"kind", "websocket, http or opening"},
    {"address", "of the client, with or without its port"},
    {"agent", "User-Agent"},
    {"principal", "authenticated identity"},
    {"service", "rpc, streams or canvas"},
    {"project", "of the network"},
    {"network", "PROJECT/CHAIN"},
    {"stream", "a stream that it has subscribed to"},
    {"room", "of the canvas"},
    {"behind_min", "bytes behind, at least"},
    {"age_min", "seconds since it was accepted, at least"},
    {"code", "close code; by default 1012"},
    {"reason", "for the client, at most 123 bytes"},
};

void write_reference(Json& json, std::string_view schema) {
  json.object([&] { json.member("$ref", "#/components/schemas/" + std::string(schema)); });
}

void write_type(Json& json, std::string_view type, bool or_null) {
  json.key("type");
  if (!or_null) {
    json.value(type);
    return;
  }
  json.array([&] { json.value(type).value("null"); });
}

void write_property(Json& json, const Property& property) {
  json.key(property.name);
  if (property.kind == Kind::one_of) return write_reference(json, property.other);
  json.object([&] {
    switch (property.kind) {
      case Kind::text:
      case Kind::text_or_null:
        write_type(json, "string", property.kind == Kind::text_or_null);
        break;
      case Kind::number:
      case Kind::number_or_null:
        write_type(json, "number", property.kind == Kind::number_or_null);
        break;
      case Kind::integer:
      case Kind::integer_or_null:
        write_type(json, "integer", property.kind == Kind::integer_or_null);
        break;
      case Kind::boolean:
        write_type(json, "boolean", false);
        break;
      case Kind::object:
      case Kind::one_of:
        write_type(json, "object", false);
        break;
      case Kind::texts:
        write_type(json, "array", false);
        json.key("items").object([&] { json.member("type", "string"); });
        break;
      case Kind::list_of:
        write_type(json, "array", false);
        json.key("items");
        write_reference(json, property.other);
        break;
    }
    if (!property.about.empty()) json.member("description", property.about);
  });
}

bool is_optional(const Property& property) {
  const std::string name = std::string(property.schema) + "." + std::string(property.name);
  return std::ranges::find(kOptional, name) != std::end(kOptional);
}

// The rows of one schema are neighbours.
void write_schemas(Json& json) {
  const std::span<const Property> all = kProperties;
  for (std::size_t first = 0; first < all.size();) {
    std::size_t end = first;
    while (end < all.size() && all[end].schema == all[first].schema) ++end;
    const auto rows = all.subspan(first, end - first);
    json.key(rows.front().schema).object([&] {
      json.member("type", "object");
      json.key("properties").object([&] {
        for (const Property& row : rows) write_property(json, row);
      });
      json.key("required").array([&] {
        for (const Property& row : rows) {
          if (!is_optional(row)) json.value(row.name);
        }
      });
    });
    first = end;
  }
}

void write_parameter(Json& json, std::string_view name, std::string_view where, std::string_view about) {
  json.object([&] {
    json.member("name", name).member("in", where).member("required", where == "path");
    if (!about.empty()) json.member("description", about);
    json.key("schema").object([&] { json.member("type", "string"); });
  });
}

void write_path_parameters(Json& json, std::string_view path) {
  for (std::size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1)) {
    write_parameter(json, path.substr(open + 1, path.find('}', open) - open - 1), "path", "");
  }
}

void write_query_parameters(Json& json, std::string_view names) {
  while (!names.empty()) {
    const std::size_t space = names.find(' ');
    const std::string_view name = names.substr(0, space);
    names.remove_prefix(space == std::string_view::npos ? names.size() : space + 1);
    const auto found = std::ranges::find(kQueryParameters, name, &QueryParameter::name);
    write_parameter(json, name, "query", found == std::end(kQueryParameters) ? "" : found->about);
  }
}

void write_content(Json& json, std::string_view type, std::string_view schema) {
  json.key("content").object([&] {
    json.key(type).object([&] {
      json.key("schema");
      write_reference(json, schema);
    });
  });
}

void write_operation(Json& json, const Route& route) {
  std::string method(route.method);
  std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(c - 'A' + 'a'); });
  json.key(method).object([&] {
    json.member("operationId", route.id).member("summary", route.summary);
    json.key("parameters").array([&] {
      write_path_parameters(json, route.path);
      write_query_parameters(json, route.query);
    });
    if (!route.body.empty()) {
      json.key("requestBody").object([&] { write_content(json, "application/json", route.body); });
    }
    json.key("responses").object([&] {
      json.key(std::to_string(route.status)).object([&] {
        json.member("description", "success");
        write_content(json, "application/json", route.answer);
      });
      json.key("default").object([&] {
        json.member("description", "an error (RFC 9457)");
        write_content(json, "application/problem+json", "Problem");
      });
    });
  });
}

// The routes of one path are neighbours.
void write_paths(Json& json) {
  const auto all = routes();
  for (std::size_t i = 0; i < all.size();) {
    const std::string_view path = all[i].path;
    json.key(path).object([&] {
      for (; i < all.size() && all[i].path == path; ++i) write_operation(json, all[i]);
    });
  }
}

}  // namespace

std::string openapi_text() {
  Json json;
  json.object([&] {
    json.member("openapi", "3.1.0");
    json.key("info").object([&] {
      json.member("title", "Fanfare admin API").member("version", "1");
      json.member("description", "See docs/admin.md.");
    });
    json.key("paths").object([&] { write_paths(json); });
    json.key("components").object([&] { json.key("schemas").object([&] { write_schemas(json); }); });
  });
  return json.take();
}

}  // namespace fanfare::admin
