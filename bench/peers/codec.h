#pragma once
// The texts of the three protocols that ./dev bench --relay-peers speaks, as a client: what it asks for, sends, and gets.
// It shares no code with the server.

#include <optional>
#include <string>
#include <string_view>

namespace peers {

enum class Protocol { fanfare, socketio, nchan };

// Empty: there is none of this name.
std::optional<Protocol> protocol_of(std::string_view name);

// What a client keeps from one connection to its next.
struct Place {
  std::string position;  // of its last event; empty: none, or the server names none
  std::string session;   // socket.io: the private id of its session
};

// An event as it came. Views of the text.
struct Event {
  std::string_view payload;
  std::string_view position;
};

// The request for the upgrade, for a publisher or a reader that continues at its place.
std::string upgrade_request(Protocol protocol, bool publishes, const Place& place);

// Whether a connection is ready after the upgrade, without further messages.
bool is_open_after_upgrade(Protocol protocol);

// The message that publishes the payload. The payload has only letters and digits.
std::string publish_message(Protocol protocol, std::string_view payload);

// What a text from the server means to a reader.
struct Meaning {
  std::optional<Event> event = {};
  std::string answer = {};  // to send back; empty: nothing
  bool opens = false;       // the connection is ready
};
Meaning read_message(Protocol protocol, std::string_view text, Place& place);

}  // namespace peers
