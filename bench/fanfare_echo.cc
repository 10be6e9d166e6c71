// Our engine as a contestant: one loop, with all default checks and limits.

#include <unistd.h>

#include <memory>
#include <utility>

#include "echo_program.h"
#include "pubsub/topic_table.h"
#include "session/http_connection.h"
#include "session/server.h"
#include "ws/encode.h"

namespace {

namespace session = fanfare::session;
namespace pubsub = fanfare::pubsub;

class Echo final : public session::Endpoint {
 public:
  using Endpoint::Endpoint;
  void on_message(session::Session& peer, const session::Message& message) override {
    peer.send(message.opcode, message.payload);
  }
};

constexpr pubsub::TopicKey kEveryone{};
// Of the largest size: nothing is dropped while the load reads.
constexpr std::size_t kOutboxMessages = 16;

class Member final : public session::SessionData, public pubsub::Subscriber {
 public:
  Member(session::Session& peer, pubsub::TopicTable& topics)
      : peer_(peer), topics_(topics), ticket_(topics.subscribe(kEveryone, *this)) {}
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() override { topics_.unsubscribe(ticket_); }
  bool deliver(const fanfare::SharedBytes& frame) override {
    return peer_.send_frame(frame) != session::SendResult::closed;
  }

 private:
  session::Session& peer_;
  pubsub::TopicTable& topics_;
  pubsub::Ticket ticket_;
};

class Broadcast final : public session::Endpoint {
 public:
  using Endpoint::Endpoint;
  void on_open(session::Session& peer) override { peer.set_data(std::make_unique<Member>(peer, topics_)); }
  void on_message(session::Session&, const session::Message& message) override {
    topics_.publish(kEveryone, fanfare::ws::encode_message(message.opcode, message.payload));
  }
  void on_close(session::Session& peer, const session::CloseInfo&) override { peer.set_data(nullptr); }

 private:
  pubsub::TopicTable topics_;
};

class EchoHttpService final : public session::HttpService {
 public:
  explicit EchoHttpService(const fanfare::bench::EchoProgram& program) {
    policy_.deflate.enabled = program.deflate;
    if (program.message_bytes > 0) allow(program.message_bytes);
    if (program.broadcast) {
      endpoint_ = std::make_unique<Broadcast>(settings_);
    } else {
      endpoint_ = std::make_unique<Echo>(settings_);
    }
  }
  void on_request(session::HttpConnection& peer, const fanfare::http::Request& /*request*/) override {
    peer.respond({.status = 426, .body = "a WebSocket echo\n"});
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection& /*peer*/,
                                      const fanfare::http::Request& /*request*/) override {
    return session::Acceptance{.endpoint = endpoint_.get(), .policy = &policy_, .data = nullptr};
  }

 private:
  void allow(std::size_t message_bytes) {
    settings_.limits.message_bytes_max = message_bytes;
    settings_.outbox_bytes_max = settings_.outbox_bytes_high = kOutboxMessages * message_bytes;
  }

  session::SessionSettings settings_;
  fanfare::ws::UpgradePolicy policy_;
  std::unique_ptr<session::Endpoint> endpoint_;
};

session::ListenerOptions listener_of(const fanfare::bench::EchoProgram& program) {
  if (program.certificate.empty()) return {};
  auto certificate =
      session::ServerCertificate::load({.certificate_file = program.certificate, .key_file = program.key});
  if (!certificate) fanfare::bench::give_up(certificate.error());
  return {.certificate = std::move(*certificate)};
}

}  // namespace

int main(int argc, char** argv) {
  const fanfare::bench::EchoProgram program = fanfare::bench::program_of(argc, argv);
  if (program.loop.empty()) fanfare::bench::give_up("the loop is epoll or uring");
  fanfare::bench::raise_descriptor_limit();
  session::ServerOptions options;
  options.loops = program.loops;
  options.loop.kind = program.loop == "epoll" ? fanfare::net::LoopKind::epoll : fanfare::net::LoopKind::uring;
  session::Server server(options);
  const auto started =
      server.start({{.address = fanfare::bench::address_of(program.where), .options = listener_of(program)}},
                   [&program](session::LoopServer&, std::size_t) {
                     session::Server::HttpServices sites;
                     sites.push_back(std::make_unique<EchoHttpService>(program));
                     return sites;
                   });
  if (!started) fanfare::bench::give_up(started.error().message());
  fanfare::bench::say_listening(server.addresses().front());
  while (true) ::pause();
}
