// Our engine as a contestant: one loop, no compression, every check and limit as it is by default.

#include <unistd.h>

#include <memory>
#include <string_view>

#include "echo_program.h"
#include "session/server.h"
#include "session/server_session.h"

namespace {

namespace session = fanfare::session;

class Echo final : public session::Endpoint {
 public:
  using Endpoint::Endpoint;
  void on_message(session::Session& peer, const session::Message& message) override {
    peer.send(message.opcode, message.payload);
  }
};

class EchoSite final : public session::Site {
 public:
  EchoSite() { policy_.deflate.enabled = false; }
  void on_request(session::ServerSession& peer, const fanfare::http::Request& /*request*/) override {
    peer.respond({.status = 426, .body = "a WebSocket echo\n"});
  }
  session::UpgradeDecision on_upgrade(session::ServerSession& /*peer*/,
                                      const fanfare::http::Request& /*request*/) override {
    return session::Acceptance{.endpoint = &echo_, .policy = &policy_, .data = nullptr};
  }

 private:
  session::SessionSettings settings_;
  fanfare::ws::UpgradePolicy policy_;
  Echo echo_{settings_};
};

}  // namespace

int main(int argc, char** argv) {
  using fanfare::bench::give_up;
  if (argc != 3) give_up("usage: fanfare_echo [HOST:]PORT epoll|uring");
  const std::string_view kind = argv[2];
  if (kind != "epoll" && kind != "uring") give_up("the loop is epoll or uring");
  fanfare::bench::raise_descriptor_limit();
  session::ServerOptions options;
  options.loops = 1;
  options.loop.kind = kind == "epoll" ? fanfare::net::LoopKind::epoll : fanfare::net::LoopKind::uring;
  session::Server server(options);
  const auto started =
      server.start({fanfare::bench::address_of(argv[1])}, [](session::LoopServer&, std::size_t) {
        session::Server::Sites sites;
        sites.push_back(std::make_unique<EchoSite>());
        return sites;
      });
  if (!started) give_up(started.error().message());
  fanfare::bench::say_listening(server.addresses().front());
  while (true) ::pause();
}
