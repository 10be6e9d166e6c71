// One value for all clients: broadcast [PORT]. A timer of the server publishes a number ten times per second.
// Slow clients always get the newest one. GET /now returns the same number over HTTP.

#include <fanfare/fanfare.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>

#include "../port.h"

int main(int argc, char** argv) {
  std::atomic<int> now = 0;
  fanfare::Server server({.port = port_argument(argc, argv, 1, 9001)});
  server.websocket("/", {.open = [](fanfare::Session& session) {
                     session.subscribe("now", {.when_full = fanfare::WhenFull::keep_latest});
                   }});
  server.http("GET", "/now", [&now](const fanfare::Request&) -> fanfare::Response {
    return {.content_type = "application/json", .body = std::to_string(now) + "\n"};
  });
  server.call_every(std::chrono::milliseconds(100), [&] {
    server.publish("now", std::to_string(++now));  // encoded once for all subscribers
  });
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "broadcast: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("ws://%s\n", server.addresses().front().c_str());
  std::fflush(stdout);

  server.run();
}
