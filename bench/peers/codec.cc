#include "codec.h"

namespace peers {
namespace {

// The value of a string member, in JSON that a program writes without spaces. Empty: it is not there.
std::string_view json_text(std::string_view json, std::string_view key) {
  const std::size_t begin = json.find("\"" + std::string(key) + "\":\"");
  if (begin == std::string_view::npos) return {};
  json.remove_prefix(begin + key.size() + 4);
  return json.substr(0, json.find('"'));
}

std::string target(Protocol protocol, bool publishes, const Place& place) {
  switch (protocol) {
    case Protocol::fanfare:
      if (publishes) return "/publish";
      return place.position.empty() ? "/" : "/?after=" + place.position;
    case Protocol::socketio:
      return std::string("/socket.io/?EIO=4&transport=websocket") + (publishes ? "&publish=1" : "");
    case Protocol::nchan:
      if (publishes) return "/publish";
      return place.position.empty() ? "/events" : "/events?last_event_id=" + place.position;
  }
  return "/";
}

// EPOCH-OFFSET PAYLOAD
Meaning read_fanfare(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return {};
  return {.event = Event{.payload = text.substr(space + 1), .position = text.substr(0, space)}};
}

// Engine.IO 4: 0 open, 2 ping, 3 pong, 4 message. In a message, Socket.IO 5: 0 connect, 2 event.
// 42["m","PAYLOAD"], with connection state recovery 42["m","PAYLOAD","OFFSET"]
Meaning read_socketio(std::string_view text, Place& place) {
  constexpr std::string_view kEvent = R"(42["m",")";
  if (text.starts_with(kEvent)) {
    text.remove_prefix(kEvent.size());
    const std::size_t end = text.find('"');
    if (end == std::string_view::npos) return {};
    Event event{.payload = text.substr(0, end), .position = {}};
    text.remove_prefix(end + 1);
    if (text.starts_with(",\"")) event.position = text.substr(2, text.find('"', 2) - 2);
    return {.event = event};
  }
  if (text.starts_with("40")) {
    place.session = json_text(text, "pid");
    return {.opens = true};
  }
  if (text.starts_with("2")) return {.answer = "3"};
  if (!text.starts_with("0")) return {};
  if (place.session.empty() || place.position.empty()) return {.answer = "40"};
  return {.answer = R"(40{"pid":")" + place.session + R"(","offset":")" + place.position + R"("})"};
}

// The subprotocol ws+meta.nchan: "id: POSITION\n", other headers, an empty line, the payload.
Meaning read_nchan(std::string_view text) {
  constexpr std::string_view kId = "id: ";
  const std::size_t end = text.find("\n\n");
  if (!text.starts_with(kId) || end == std::string_view::npos) return {};
  const std::string_view position = text.substr(kId.size(), text.find('\n') - kId.size());
  return {.event = Event{.payload = text.substr(end + 2), .position = position}};
}

}  // namespace

std::optional<Protocol> protocol_of(std::string_view name) {
  if (name == "fanfare") return Protocol::fanfare;
  if (name == "socketio") return Protocol::socketio;
  if (name == "nchan") return Protocol::nchan;
  return {};
}

std::string upgrade_request(Protocol protocol, bool publishes, const Place& place) {
  std::string request = "GET " + target(protocol, publishes, place) +
                        " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  if (protocol == Protocol::nchan && !publishes) request += "Sec-WebSocket-Protocol: ws+meta.nchan\r\n";
  return request + "\r\n";
}

bool is_open_after_upgrade(Protocol protocol) {
  return protocol != Protocol::socketio;
}

std::string publish_message(Protocol protocol, std::string_view payload) {
  if (protocol != Protocol::socketio) return std::string(payload);
  return R"(42["p",")" + std::string(payload) + R"("])";
}

Meaning read_message(Protocol protocol, std::string_view text, Place& place) {
  switch (protocol) {
    case Protocol::fanfare:
      return read_fanfare(text);
    case Protocol::socketio:
      return read_socketio(text, place);
    case Protocol::nchan:
      return read_nchan(text);
  }
  return {};
}

}  // namespace peers
