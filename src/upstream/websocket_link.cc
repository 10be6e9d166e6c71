#include "upstream/websocket_link.h"

#include <future>
#include <thread>

#include "base/check.h"
#include "net/loop.h"
#include "session/client.h"
#include "session/client_loop.h"

namespace fanfare::upstream {
namespace {

// What may wait to be sent: a node that reads no more than this has ended by then.
constexpr std::size_t kOutboxBytesMax = std::size_t{64} << 20;

std::string why_of(const session::CloseInfo& info) {
  return "the node closed the connection with " + std::to_string(info.code);
}

session::ClientOptions client_options(const LinkOptions& options) {
  session::ClientOptions client{.url = options.url};
  for (const auto& [name, value] : options.headers) client.headers.push_back({.name = name, .value = value});
  client.session.limits.message_bytes_max = options.message_bytes_max;
  client.session.ping_interval = options.ping_interval;
  client.session.pong_timeout = options.pong_timeout;
  client.session.outbox_bytes_max = kOutboxBytesMax;
  client.session.outbox_bytes_high = kOutboxBytesMax;
  client.connect_timeout = options.connect_timeout;
  client.handshake_timeout = options.connect_timeout;
  client.tls.ca_file = options.ca_file;
  client.reconnect.backoff = {.backoff_min = options.backoff_min, .backoff_max = options.backoff_max};
  // A node that refuses us today may be configured right tomorrow, and one that says 1000 has been restarted.
  client.reconnect.retry_close = [](const session::CloseInfo&) { return true; };
  client.reconnect.retry_failure = [](const session::ClientError& error) {
    return error.failure != session::ClientFailure::cancelled;
  };
  return client;
}

}  // namespace

class WebSocketLink::Core final : public session::ClientHandler {
 public:
  Core(Executor& executor, LinkOptions options, LinkHandler& handler)
      : executor_(executor), options_(std::move(options)), handler_(handler) {
    std::promise<void> ready;
    thread_ = std::thread([this, &ready] { run(ready); });
    ready.get_future().wait();
  }
  ~Core() override {
    alive_.reset();
    loop_->stop();
    thread_.join();
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  void send(std::string text, std::uint64_t connection) {
    loop_->post([this, text = std::move(text), connection] {
      if (connection == opened_) client_->send_text(text);
    });
  }

 private:
  void run(std::promise<void>& ready) {
    auto loop = net::Loop::create({.streams_max = 1});
    FANFARE_CHECK(loop.has_value());
    loop_ = std::move(*loop);
    session::ClientLoop clients(*loop_);
    client_ = std::make_unique<session::Client>(clients, client_options(options_), *this);
    client_->connect();
    ready.set_value();
    loop_->run();
    loop_->close_mailbox();  // what was posted names the client
    client_.reset();
  }

  // Runs on the executor's thread, unless the link has gone meanwhile: only that thread ends it.
  template <typename Tell>
  void tell(Tell tell) {
    executor_.post([alive = watched_, tell = std::move(tell)]() mutable {
      if (!alive.expired()) tell();
    });
  }

  void on_open(session::Client&, const session::ClientOpened&) override {
    ++opened_;
    tell([this] { handler_.link_opened(); });
  }
  void on_message(session::Client&, const session::Message& message) override {
    tell([this, text = std::string(as_text(message.payload))] { handler_.link_received(text); });
  }
  void on_close(session::Client&, const session::CloseInfo& info, std::optional<Duration>) override {
    tell([this, why = why_of(info)]() mutable { handler_.link_lost(std::move(why)); });
  }
  void on_failed(session::Client&, const session::ClientError& error, std::optional<Duration>) override {
    tell([this, why = error.text]() mutable { handler_.link_lost(std::move(why)); });
  }

  Executor& executor_;
  const LinkOptions options_;
  LinkHandler& handler_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // the executor's thread ends it
  const std::weak_ptr<bool> watched_ = alive_;                  // what the other thread may copy
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<session::Client> client_;  // its thread's own
  std::uint64_t opened_ = 0;                 // likewise
  std::thread thread_;
};

WebSocketLink::WebSocketLink(Executor& executor, LinkOptions options, LinkHandler& handler)
    : core_(std::make_unique<Core>(executor, std::move(options), handler)) {}
WebSocketLink::~WebSocketLink() = default;

void WebSocketLink::send(std::string text, std::uint64_t connection) {
  core_->send(std::move(text), connection);
}

}  // namespace fanfare::upstream
