// For ./dev bench --access: the method `echo` of a program at /rpc, the same behind credentials at /guarded/{key}, and
// at / a plain echo of the same bytes. One loop.

#include <fanfare/fanfare.h>

#include <cstdio>
#include <string>

int main() {
  using namespace fanfare;
  const auto access = Access::make(
      {.roles = {{.name = "caller", .methods = {"*"}, .limits = {.requests = {.per_second = 10'000'000}}}},
       .keys = {{.name = "bench", .roles = {"caller"}, .key = "key-of-the-bench-program"}}});
  if (!access) {
    std::fprintf(stderr, "rpc_server: %s\n", access.error().message.c_str());
    return 1;
  }
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.message = [](Session& session, const Message& message) { session.send(message); }});
  const auto serve = [&server](Rpc& rpc, std::string_view path) {
    rpc.method(
        "echo", {}, [](const RpcCall&, const std::string& text) { return text; },
        RpcParam<std::string>{"text", "What the result will be."});
    rpc.serve(server, path);
  };
  Rpc open(RpcOptions{});
  Rpc guarded({.authenticate = *access});
  serve(open, "/rpc");
  serve(guarded, "/guarded/{key}");
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "rpc_server: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("listening %u\n", static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  server.run();
}
