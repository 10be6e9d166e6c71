// A canvas in a program: pixels FILE [PORT [SYNC]], with the page of examples/canvas as its client. Everybody may look at
// ws://localhost:PORT/canvas/main; drawing needs ?name=NAME in the URL, and "proof":"fanfare" in place of a real
// token. The pixels are kept in FILE. SYNC: full or interval (default). In the room `scratch` everybody draws.
// In `work` each message that draws needs a proof of work (work.h): draw.mjs has a client that finds it.

#include <fanfare/canvas.h>
#include <fanfare/fanfare.h>
#include <fanfare/store.h>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "../port.h"
#include "work.h"

namespace {

// On a loop, once for each connection.
std::optional<fanfare::CanvasVisitor> admit(const fanfare::Request& request) {
  if (request.parameter("room") != "main") return fanfare::CanvasVisitor{};
  const auto name = request.query_parameter("name");
  return fanfare::CanvasVisitor{.draws = name.has_value() && !name->empty()};
}

// On the room's thread, for each message that draws. The proof is raw JSON: a string with its quotes.
std::optional<std::string> check(const fanfare::CanvasDraw& draw) {
  if (draw.proof == R"("fanfare")") return std::nullopt;
  return R"(send "proof":"fanfare" with each pixel)";
}

int fail(const fanfare::Error& error) {
  std::fprintf(stderr, "pixels: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: pixels FILE [PORT [SYNC]]\n"), 2;
  fanfare::Server server({.port = port_argument(argc, argv, 2, 9001)});
  const fanfare::Canvas canvas(server, {.admit = admit});
  if (auto added = canvas.add({.width = 200,
                               .height = 200,
                               .file = argv[1],
                               .sync_full = argc > 3 && std::string_view(argv[3]) == "full",
                               .disk = fanfare::canvas_disk(),
                               .check = check});
      !added) {
    return fail(added.error());
  }
  // Without a past, a proof or a file.
  if (auto added = canvas.add({.name = "scratch", .palette = {0xffffff, 0x000000, 0xff0000}}); !added) {
    return fail(added.error());
  }
  if (auto added = canvas.add({.name = "work", .width = 200, .height = 200, .check = check_work}); !added) {
    return fail(added.error());
  }
  if (auto started = server.start(); !started) return fail(started.error());
  std::printf("ws://127.0.0.1:%u\n", server.port());
  std::fflush(stdout);
  server.run();
}
