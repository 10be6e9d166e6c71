// A server and a client on the installed library, in one process: 0 when the message came back, compressed.

#include <fanfare/fanfare.h>

#include <cstdio>
#include <string>

int main() {
  fanfare::Server server({.port = 0, .threads = 1});
  server.websocket("/", {.message = [](fanfare::Session& session, const fanfare::Message& message) {
                     session.send(message);
                   }});
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  const std::string text(10'000, 'x');
  bool compressed = false;
  bool came_back = false;
  fanfare::Client client({.url = "ws://" + server.addresses().front(), .reconnect = {.enabled = false}},
                         {.open =
                              [&](fanfare::Client& self, const fanfare::Opened& opened) {
                                compressed = opened.compressed;
                                self.send(text);
                              },
                          .message =
                              [&](fanfare::Client& self, const fanfare::Message& message) {
                                came_back = message.text() == text;
                                self.close();
                              }});
  if (!client.start()) return 1;
  client.run();
  return compressed && came_back ? 0 : 1;
}
