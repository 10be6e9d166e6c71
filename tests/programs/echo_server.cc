// The library's server for the programs under tests/: echoes every message until its input ends.
//
//   echo_server [NAME=VALUE...]
//
//   unix= unix_mode= inherited= tls_certificate= tls_key= deflate=0 loop=epoll threads= handshake_ms=
//   idle_ms= ping_ms= close_ms= message_bytes= outbox_bytes=
//
// Other settings are the library's defaults, and the system chooses the port. Prints the URL when it serves.

#include <fanfare/fanfare.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace {

using Number = unsigned long long;

bool set(fanfare::ServerOptions& options, fanfare::Tls& tls, std::string_view name,
         const std::string& value) {
  const Number number = std::strtoull(value.c_str(), nullptr, 10);
  const std::chrono::milliseconds time(number);
  const std::map<std::string_view, std::function<void()>> settings{
      {"tls_certificate", [&] { tls.certificate_file = value; }},
      {"tls_key", [&] { tls.key_file = value; }},
      {"deflate", [&] { options.deflate.enabled = number != 0; }},
      {"loop",
       [&] { options.loop = value == "epoll" ? fanfare::LoopKind::epoll : fanfare::LoopKind::uring; }},
      {"handshake_ms", [&] { options.limits.handshake_timeout = time; }},
      {"idle_ms", [&] { options.limits.session_idle_timeout = time; }},
      {"unix", [&] { options.unix_path = value; }},
      {"unix_mode", [&] { options.unix_mode = static_cast<unsigned>(number); }},
      {"inherited", [&] { options.inherited_socket = value; }},
      {"ping_ms", [&] { options.heartbeat.ping_interval = time; }},
      {"close_ms", [&] { options.limits.close_timeout = time; }},
      {"message_bytes", [&] { options.limits.message_bytes_max = number; }},
      {"outbox_bytes",
       [&] {
         options.limits.outbox_bytes_max = number;
         options.limits.outbox_bytes_high = number;
       }},
      {"threads", [&] { options.threads = number; }},
  };
  const auto setting = settings.find(name);
  if (setting == settings.end()) return false;
  setting->second();
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  fanfare::ServerOptions options{.port = 0};
  fanfare::Tls tls;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos ||
        !set(options, tls, argument.substr(0, equals), argument.substr(equals + 1))) {
      std::fprintf(stderr, "echo_server: what is \"%s\"?\n", argv[i]);
      return 2;
    }
  }
  if (!tls.certificate_file.empty()) options.tls = tls;

  fanfare::Server server(options);
  server.websocket("/", {.message = [](fanfare::Session& session, const fanfare::Message& message) {
                     session.send(message);
                   }});
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "echo_server: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("%s://%s\n", options.tls ? "wss" : "ws", server.addresses().front().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.stop();
}
