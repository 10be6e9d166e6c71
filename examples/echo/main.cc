// Echoes every message: echo [HOST:]PORT. All other settings are the library's defaults, including
// compression. With port 0 the system chooses the port; the address is printed when the server is ready.

#include <fanfare/fanfare.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

int main(int argc, char** argv) {
  const std::string_view where = argc == 2 ? argv[1] : "127.0.0.1:9001";
  const std::size_t colon = where.rfind(':');
  const std::string_view digits = where.substr(colon == std::string_view::npos ? 0 : colon + 1);
  fanfare::ServerOptions options;
  if (colon != std::string_view::npos) options.host = where.substr(0, colon);
  const auto port = std::from_chars(digits.begin(), digits.end(), options.port);
  if (port.ec != std::errc() || port.ptr != digits.end() || argc > 2) {
    std::fprintf(stderr, "usage: echo [HOST:]PORT\n");
    return 2;
  }

  fanfare::Server server(options);
  server.websocket("/", {.message = [](fanfare::Session& session, const fanfare::Message& message) {
                     session.send(message);
                   }});
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "echo: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("ws://%s\n", server.addresses().front().c_str());
  std::fflush(stdout);
  server.run();
}
