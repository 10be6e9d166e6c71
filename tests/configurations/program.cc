// A stranger's program, in C++20: a server with typed sessions, results and tasks of the public API, and two
// clients, one of which is refused. 0 when everything came as it should.

#include "program.h"

#include <fanfare/fanfare.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace {

struct Member {
  std::string name = {};
};

fanfare::Expected<Member, fanfare::Response> let_in(const fanfare::Request& request) {
  if (request.parameter("who") == "nobody") {
    return fanfare::Unexpected(fanfare::Response{.status = 403, .body = "not you\n"});
  }
  return Member{std::string(request.parameter("who"))};
}

struct Seen {
  std::string text = {};
  bool compressed = false;
  int refused_with = 0;
};

Seen talk_to(const std::string& url) {
  Seen seen;
  fanfare::Client client(
      {.url = url, .reconnect = {.enabled = false}},
      {.open = [&seen](fanfare::Client&,
                       const fanfare::Opened& opened) { seen.compressed = opened.compressed; },
       .message =
           [&seen](fanfare::Client& self, const fanfare::Message& message) {
             seen.text = std::string(message.text());
             self.close();
           },
       .failed = [&seen](fanfare::Client&, const fanfare::Error& error,
                         auto) { seen.refused_with = error.http_status; }});
  if (!client.start()) return seen;
  client.run();
  return seen;
}

}  // namespace

int run_program() {
  fanfare::Server server({.port = 0, .threads = 1});
  server.websocket<Member>(
      "/{who}", {.upgrade = let_in, .open = [&server](fanfare::SessionWith<Member>& session) {
                   // Captures what cannot be copied.
                   server.post(session.id(), [text = std::make_unique<std::string>(session.data().name)](
                                                 fanfare::Session& self) { self.send(*text); });
                 }});
  const fanfare::Expected<void, fanfare::Error> started = server.start();
  if (!started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  const std::string address = "ws://" + server.addresses().front();
  const Seen member = talk_to(address + "/somebody");
  const Seen stranger = talk_to(address + "/nobody");
  if (member.text == "somebody" && member.compressed && stranger.refused_with == 403) return 0;
  std::fprintf(stderr, "got \"%s\", compressed %d, refused with %d\n", member.text.c_str(),
               static_cast<int>(member.compressed), stranger.refused_with);
  return 1;
}
