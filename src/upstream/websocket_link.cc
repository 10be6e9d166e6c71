#include "upstream/websocket_link.h"

#include <pthread.h>

#include <algorithm>
#include <future>
#include <optional>
#include <thread>

#include "base/check.h"
#include "base/log_limiter.h"
#include "jsonrpc/surrogates.h"
#include "session/client.h"
#include "session/client_loop.h"
#include "ws/rules.h"

namespace fanfare::upstream {
namespace {

// The executor's thread handles so many per turn, so that other tasks on it get their turn.
constexpr std::size_t kMessagesPerTurn = 64;
constexpr std::size_t kBytesPerTurn = std::size_t{1} << 20;
// How often the newest of too many heads is passed on.
constexpr Duration kNewestHeadEvery = std::chrono::milliseconds(50);

std::string why_of(const session::CloseInfo& info, const LinkOptions& options) {
  switch (info.cause) {
    case session::Cause::peer_closed:
      return "the node closed the connection with " + std::to_string(info.code);
    case session::Cause::slow_consumer:
      return "the node does not read: " + std::to_string(options.outbox_bytes_max) + " bytes wait for it";
    case session::Cause::pong_timeout:
      return "the node did not answer a ping in time";
    case session::Cause::rule_broken:
      if (info.broken_rule == ws::Rule::message_too_big ||
          info.broken_rule == ws::Rule::inflated_message_too_big)
        return "a message is longer than " + std::to_string(options.message_bytes_max) + " bytes";
      return "the node broke a rule of WebSocket: " +
             std::string(info.broken_rule ? ws::info(*info.broken_rule).name : "unknown");
    case session::Cause::connection_lost:
    case session::Cause::we_closed:
    case session::Cause::idle_timeout:
    case session::Cause::shut_down:
      return "the connection was lost";
  }
  return {};
}

session::ClientOptions client_options(const LinkOptions& options) {
  session::ClientOptions client{.url = options.url};
  for (const auto& [name, value] : options.headers) client.headers.push_back({.name = name, .value = value});
  client.session.limits.message_bytes_max = options.message_bytes_max;
  client.session.ping_interval = options.ping_interval;
  client.session.pong_timeout = options.pong_timeout;
  client.session.outbox_bytes_max = options.outbox_bytes_max;
  client.session.outbox_bytes_high = options.outbox_bytes_max;
  client.deflate.enabled = options.deflate;
  client.connect_timeout = options.connect_timeout;
  client.handshake_timeout = options.connect_timeout;
  client.tls.ca_file = options.ca_file;
  client.reconnect.enabled = !options.only_once;
  client.reconnect.backoff = {.backoff_min = options.backoff_min, .backoff_max = options.backoff_max};
  // A node that refuses us today may be configured correctly tomorrow, and a close code of 1000 means a
  // restart.
  client.reconnect.retry_close = [](const session::CloseInfo&) { return true; };
  client.reconnect.retry_failure = [](const session::ClientError& error) {
    return error.failure != session::ClientFailure::cancelled;
  };
  return client;
}

std::string wait_text(Duration wait) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count()) + " s";
}

}  // namespace

class WebSocketLink::Core final : public session::ClientHandler, public std::enable_shared_from_this<Core> {
 public:
  Core(Executor& executor, LinkOptions options, LinkHandler& handler)
      : executor_(executor),
        options_(std::move(options)),
        handler_(&handler),
        intake_(options_.intake),
        arriving_(options_.received),
        flood_wait_(options_.flood_backoff_min),
        inbox_(options_.inbox) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Not in the constructor: tasks posted by the thread hold a shared reference to this object.
  void start() {
    std::promise<void> ready;
    thread_ = std::thread([this, &ready] { run(ready); });
    pthread_setname_np(thread_.native_handle(), "node-link");  // as `top -H` shows it
    ready.get_future().wait();
  }
  // On the executor's thread; afterwards only tasks of that thread hold this object.
  void stop() {
    handler_ = nullptr;
    loop_->stop();
    thread_.join();
  }

  void send(LinkMessage message, std::uint64_t connection) {
    loop_->post([this, message = std::move(message), connection] {
      if (connection != opened_ || client_ == nullptr) return;
      if (message.wire_id != 0) intake_.asked(message.wire_id, message.asked);
      client_->send_text(message.text);
    });
  }
  void connect_now() {
    loop_->post([this] {
      if (client_ != nullptr) return client_->connect();
      push({.what = last_lost_});
    });
  }

 private:
  void run(std::promise<void>& ready) {
    auto loop = net::Loop::create({.kind = options_.loop_kind, .streams_max = 1});
    FANFARE_CHECK(loop.has_value());
    loop_ = std::move(*loop);
    session::ClientLoop clients(*loop_);
    clients_ = &clients;
    connect();
    ready.set_value();
    loop_->run();
    loop_->close_mailbox();  // posted tasks refer to the client
    client_.reset();
    unusable_.flush();
  }

  void connect() {
    client_ = std::make_unique<session::Client>(*clients_, client_options(options_), *this);
    client_->connect();
  }

  // --- the link's thread: input ---------------------------------------------------------------------

  void on_open(session::Client&, const session::ClientOpened&) override {
    ++opened_;
    opened_at_ = loop_->now();
    intake_.connected();
    push({.what = LinkOpened{}});
    if (inbox_.is_full()) client_->pause();  // a new connection reads, whatever the state of the last one
  }

  void on_receiving(session::Client&, std::size_t bytes) override {
    if (!intake_.may_arrive(bytes)) return flood("a message of many bytes that nobody asked for");
    if (bytes > arriving_.bytes() && !arriving_.grow(bytes - arriving_.bytes())) give_up();
  }

  void on_message(session::Client&, const session::Message& message) override {
    arriving_.release();
    std::string_view text = as_text(message.payload);
    auto answer = jsonrpc::split_response(text);
    std::string well_formed;
    if (!answer && jsonrpc::replace_lone_surrogates(well_formed.assign(text))) {
      text = well_formed;
      answer = jsonrpc::split_response(text);
    }
    switch (intake_.judge(answer ? &*answer : nullptr, text.size(), loop_->now())) {
      case NodeIntake::Verdict::pass:
        pass_newest();  // it came before this one
        return receive(NodeMessage(text, *answer));
      case NodeIntake::Verdict::newest:
        return keep_newest(NodeMessage(text, *answer));
      case NodeIntake::Verdict::drop:
        if (options_.only_once) return;
        return unusable_.write({{"endpoint", options_.name},
                                {"problem", intake_.problem()},
                                {"bytes", text.size()},
                                {"text", log::excerpt(text)}});
      case NodeIntake::Verdict::flood:
        return flood(intake_.problem());
    }
  }

  void on_ping(session::Client&) override { judge_control("pings faster than any node sends them"); }
  void on_pong(session::Client&, Bytes) override { judge_control("pongs that nobody asked for"); }
  void judge_control(std::string_view problem) {
    if (intake_.judge_control(problem, loop_->now()) == NodeIntake::Verdict::flood) flood(intake_.problem());
  }

  void on_close(session::Client&, const session::CloseInfo& info, std::optional<Duration>) override {
    lost({.why = why_of(info, options_)});
  }
  void on_failed(session::Client&, const session::ClientError& error, std::optional<Duration>) override {
    lost({.why = error.text, .unreachable = !error.was_connected});
  }

  void lost(LinkLost lost) {
    arriving_.release();
    newest_head_.reset();
    loop_->cancel(head_timer_);
    last_lost_ = lost;
    push({.what = std::move(lost)});
  }

  void receive(NodeMessage message) {
    if (client_ == nullptr) return;  // abandoned meanwhile
    LinkInbox::Item item{.what = std::move(message), .hold = ByteHold(options_.received)};
    if (!item.hold.grow(std::get<NodeMessage>(item.what).bytes())) return give_up();
    if (push(std::move(item))) client_->pause();
  }

  // Keeps the newest of too many heads: it may be the last one for a long time.
  void keep_newest(NodeMessage head) {
    if (!newest_head_) head_timer_ = loop_->call_after(kNewestHeadEvery, [this] { pass_newest(); });
    newest_head_.emplace(std::move(head));
  }
  void pass_newest() {
    if (!newest_head_) return;
    loop_->cancel(head_timer_);
    receive(*std::exchange(newest_head_, std::nullopt));
  }

  // No room for the node's data: other nodes of its project use the memory.
  void give_up() {
    client_.reset();
    lost({.why = "there is no memory for what the node sends"});
    reconnect_after(options_.backoff_max);
  }

  void flood(std::string_view what) {
    client_.reset();
    if (loop_->now() - opened_at_ > flood_wait_) flood_wait_ = options_.flood_backoff_min;
    const Duration wait = flood_wait_;
    flood_wait_ = std::min(2 * flood_wait_, options_.flood_backoff_max);
    std::string why = "it floods: " + std::string(what);
    if (!options_.only_once) why += "; next tried in " + wait_text(wait);
    lost({.why = std::move(why), .flooding = true});
    reconnect_after(wait);
  }

  void reconnect_after(Duration wait) {
    if (!options_.only_once) loop_->call_after(wait, [this] { connect(); });
  }

  // True: reading should stop.
  bool push(LinkInbox::Item item) {
    const auto pushed = inbox_.push(std::move(item));
    if (pushed.first) look_soon();
    return pushed.full;
  }

  void look_soon() {
    executor_.post([self = shared_from_this()] { self->work_off(); });
  }

  // --- the executor's thread ------------------------------------------------------------------------

  void work_off() {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < kMessagesPerTurn && bytes < kBytesPerTurn && handler_ != nullptr; ++i) {
      const auto item = inbox_.pop();
      if (!item) break;
      if (const auto* message = std::get_if<NodeMessage>(&item->what)) bytes += message->bytes();
      tell(item->what);
      if (inbox_.worked_off(*item) && handler_ != nullptr) resume_reading();
    }
    if (handler_ != nullptr && inbox_.goes_on()) look_soon();
  }

  void tell(const std::variant<LinkOpened, NodeMessage, LinkLost>& what) {
    if (const auto* message = std::get_if<NodeMessage>(&what)) {
      handler_->link_received(message->answer());
    } else if (const auto* lost = std::get_if<LinkLost>(&what)) {
      handler_->link_lost(*lost);
    } else {
      handler_->link_opened();
    }
  }

  void resume_reading() {
    loop_->post([this] {
      if (client_ != nullptr && !inbox_.is_full()) client_->resume();
    });
  }

  Executor& executor_;
  const LinkOptions options_;
  LinkHandler* handler_;  // used by the executor's thread only; null: the link is gone
  std::unique_ptr<net::Loop> loop_;

  // Used by the link's thread only.
  session::ClientLoop* clients_ = nullptr;
  std::unique_ptr<session::Client> client_;  // null while a flooding node is not used
  std::uint64_t opened_ = 0;
  Instant opened_at_{};
  NodeIntake intake_;
  ByteHold arriving_;  // for an incomplete message
  std::optional<NodeMessage> newest_head_;
  net::TimerId head_timer_{};
  Duration flood_wait_;
  LinkLost last_lost_;
  LogLimiter unusable_{log::Level::warn, "upstream_message_unusable", {.lines_max = 3}};

  LinkInbox inbox_;
  std::thread thread_;
};

WebSocketLink::WebSocketLink(Executor& executor, LinkOptions options, LinkHandler& handler)
    : core_(std::make_shared<Core>(executor, std::move(options), handler)) {
  core_->start();
}

WebSocketLink::~WebSocketLink() {
  core_->stop();
}

void WebSocketLink::send(LinkMessage message, std::uint64_t connection) {
  core_->send(std::move(message), connection);
}

void WebSocketLink::connect_now() {
  core_->connect_now();
}

}  // namespace fanfare::upstream
