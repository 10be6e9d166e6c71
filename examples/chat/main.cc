// A chat with rooms: chat [PORT]. ws://127.0.0.1:PORT/chat/ROOM?name=NAME; each message goes to all members
// of the room.

#include <fanfare/fanfare.h>

#include <cstdio>
#include <string>

#include "../port.h"

namespace {

struct Member {
  std::string name;
  std::string room;
};
using ChatSession = fanfare::SessionWith<Member>;

std::expected<Member, fanfare::Response> let_in(const fanfare::Request& request) {
  const std::string name(request.query_parameter("name").value_or(""));
  if (name.empty()) return std::unexpected(fanfare::Response{.status = 400, .body = "say ?name=NAME\n"});
  return Member{.name = name, .room = "room " + std::string(request.parameter("room"))};
}

}  // namespace

int main(int argc, char** argv) {
  fanfare::Server server({.port = port_argument(argc, argv, 1, 9001)});
  const auto say = [&server](ChatSession& session, std::string_view text) {
    server.publish(session.data().room, session.data().name + std::string(text));
  };
  server.websocket<Member>(
      "/chat/{room}",
      {.upgrade = let_in,
       .open =
           [say](ChatSession& session) {
             // A slow client loses the oldest messages, and gets their number.
             session.subscribe(session.data().room, {.when_full = fanfare::WhenFull::drop_oldest});
             say(session, " is here");
           },
       .message = [say](
                      ChatSession& session,
                      const fanfare::Message& message) { say(session, ": " + std::string(message.text())); },
       .lagged =
           [](ChatSession& session, std::string_view, std::uint64_t missed) {
             session.send("(you missed " + std::to_string(missed) + " messages)");
           },
       .close = [say](ChatSession& session, const fanfare::Close&) { say(session, " has left"); }});
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "chat: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("ws://%s\n", server.addresses().front().c_str());
  std::fflush(stdout);
  server.run();
}
