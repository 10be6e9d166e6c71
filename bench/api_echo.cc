// Our engine through the public API, as an embedding program uses it.

#include <fanfare/fanfare.h>

#include <cstdio>

#include "echo_program.h"

int main(int argc, char** argv) {
  using fanfare::bench::give_up;
  const fanfare::bench::EchoProgram program = fanfare::bench::program_of(argc, argv);
  fanfare::bench::raise_descriptor_limit();
  const fanfare::net::Address address = fanfare::bench::address_of(program.where);
  fanfare::ServerOptions options;
  options.host = address.host();
  options.port = address.port();
  options.threads = program.loops;
  if (!program.loop.empty()) {
    options.loop = program.loop == "epoll" ? fanfare::LoopKind::epoll : fanfare::LoopKind::uring;
  }
  options.deflate.enabled = program.deflate;
  if (!program.certificate.empty()) {
    options.tls = fanfare::Tls{.certificate_file = program.certificate, .key_file = program.key};
  }
  fanfare::Server server(options);
  if (program.broadcast) {
    server.websocket("/", {.open = [](fanfare::Session& session) { session.subscribe("all"); },
                           .message =
                               [&server](fanfare::Session&, const fanfare::Message& message) {
                                 server.publish("all", message.text());
                               }});
  } else {
    server.websocket("/", {.message = [](fanfare::Session& session, const fanfare::Message& message) {
                       session.send(message);
                     }});
  }
  if (const auto started = server.start(); !started) give_up(started.error().message);
  std::printf("listening %s\n", server.addresses().front().c_str());
  std::fflush(stdout);
  server.run();
}
