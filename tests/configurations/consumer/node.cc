// A chain server on the installed library: 0 when it starts, is told of a block, and stops.

#include <fanfare/chain.h>

#include <cstdio>

int main() {
  fanfare::ChainServer server(
      {.http_port = 0, .websocket_port = 0, .threads = 1},
      [](std::string_view, std::string_view) -> fanfare::CallResult { return "null"; });
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  server.on_new_block("{}");
  const bool listened = !server.websocket_address().empty();
  server.stop();
  return listened && server.websocket_address().empty() ? 0 : 1;
}
