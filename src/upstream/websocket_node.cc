#include "upstream/websocket_node.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/check.h"
#include "base/log_limiter.h"
#include "base/uri.h"
#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/answer_secrets.h"
#include "upstream/url.h"
#include "upstream/websocket_link.h"

namespace fanfare::upstream {
namespace {

constexpr std::array<std::string_view, 2> kTopicParams{R"(["newHeads"])", R"(["newPendingTransactions"])"};

// The maximum length of a node's or library's text in a log line.
constexpr std::size_t kReasonBytes = 256;

Asked asked_for(NodeTopic topic) {
  return topic == NodeTopic::new_heads ? Asked::heads : Asked::pending;
}

}  // namespace

class WebSocketNode::Impl final : Executor::StopListener, public LinkHandler {
 public:
  Impl(Executor& executor, WebSocketOptions options, Observer* observer);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void call(const std::string& body, CallOptions options, Done done);
  // A call made while the first connection opens is sent on it. While the connection is down there is none.
  std::uint64_t connection() const { return state_ == State::open ? opened_ : opened_ + 1; }
  void on_reconnect(std::function<void()> reconnected) { reconnected_ = std::move(reconnected); }
  void connect_now();
  std::string_view name() const { return options_.name; }
  void set_watcher(Watcher watcher) { watcher_ = std::move(watcher); }
  std::string_view flooding() const { return flooding_; }
  void watch(NodeTopic topic, bool wanted);

 private:
  enum class State : std::uint8_t { connecting, open, down };

  struct Element {
    std::string id;      // the caller's id
    std::string answer;  // with the caller's id
  };
  struct Call {
    CallOptions options;
    Done done;
    Instant begun{};
    TimerId timer;
    std::vector<LinkMessage> texts;  // with ids of our own; empty once sent
    std::vector<std::uint64_t> wire_ids;
    std::vector<Element> elements;  // the elements that get an answer
    std::size_t open = 0;           // elements without an answer
    std::size_t bytes_sent = 0;
    ByteHold hold;  // the answer's bytes
    bool batch = false;
    bool sent = false;
  };
  using CallPtr = std::shared_ptr<Call>;
  struct Place {
    CallPtr call;
    std::size_t element = 0;
  };
  struct Subscription {
    bool wanted = false;
    bool live = false;
    std::uint64_t wire_id = 0;  // of the pending request; 0: none
    std::string id_json;        // the node's id, raw
  };

  void link_opened() override;
  void link_received(const jsonrpc::Answer& message) override;
  void link_lost(const LinkLost& lost) override;
  void worker_stopping() override { end_all(FailureKind::shutdown, "the worker is stopping"); }

  bool take_apart(std::string_view body, Call& call);
  void send(const CallPtr& call);
  void answered(const Place& place, const jsonrpc::Answer& message);
  void finish(const CallPtr& call, Result result);
  void refuse(const CallPtr& call, FailureKind kind, std::string why);
  void end_all(FailureKind kind, const std::string& why);

  void ask_topic(NodeTopic topic, std::string_view method, std::string_view params);
  bool topic_answered(std::uint64_t wire_id, const jsonrpc::Answer& answer);
  void told(const jsonrpc::Answer& notification);
  void set_live(NodeTopic topic, bool live);
  void set_flooding(std::string why);
  void log_lost(bool is_flooding);
  Subscription& subscription(NodeTopic topic) { return topics_[static_cast<std::size_t>(topic)]; }

  Executor& executor_;
  WebSocketOptions options_;
  Observer* observer_;
  Watcher watcher_;
  std::vector<std::string> secrets_;
  State state_ = State::connecting;
  bool was_lost_ = false;     // since the last open connection, or before the first one
  std::uint64_t opened_ = 0;  // connections so far: the number of the current one
  std::function<void()> reconnected_;
  std::string lost_why_;
  std::string flooding_;
  std::unordered_map<std::uint64_t, Place> waiting_;  // by wire id
  std::map<Call*, CallPtr> calls_;
  std::array<Subscription, kTopicParams.size()> topics_;
  std::uint64_t wire_serial_ = 0;
  jsonrpc::Parser parser_;
  // A node may come and go at any rate.
  LogLimiter connected_{log::Level::info, "upstream_connected"};
  LogLimiter disconnected_{log::Level::warn, "upstream_disconnected"};
  LogLimiter flooded_{log::Level::error, "upstream_flooding"};
  LogLimiter refused_{log::Level::warn, "upstream_subscription_refused"};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<WebSocketLink> link_;
};

WebSocketNode::Impl::Impl(Executor& executor, WebSocketOptions options, Observer* observer)
    : executor_(executor),
      options_(std::move(options)),
      observer_(observer),
      secrets_(secrets_of(options_.url, options_.headers)) {
  if (options_.name.empty()) options_.name = redacted(options_.url);
  executor_.run([this] { executor_.attach(*this); });
  link_ = std::make_unique<WebSocketLink>(
      executor_,
      LinkOptions{.url = options_.url,
                  .name = options_.name,
                  .headers = options_.headers,
                  .connect_timeout = options_.connect_timeout,
                  .message_bytes_max = options_.response_bytes_max,
                  .outbox_bytes_max = options_.outbox_bytes_max,
                  .deflate = options_.deflate,
                  .ping_interval = options_.ping_interval,
                  .pong_timeout = options_.pong_timeout,
                  .backoff_min = std::min(LinkOptions{}.backoff_min, options_.reconnect_backoff_max),
                  .backoff_max = options_.reconnect_backoff_max,
                  .flood_backoff_min = options_.flood_backoff_min,
                  .flood_backoff_max = options_.flood_backoff_max,
                  .inbox = options_.inbox,
                  .received = options_.received,
                  .ca_file = options_.ca_file,
                  .only_once = options_.only_once,
                  .loop_kind = options_.loop_kind},
      *this);
}

WebSocketNode::Impl::~Impl() {
  executor_.run([this] {
    executor_.detach(*this);
    link_.reset();
    end_all(FailureKind::shutdown, "the endpoint is going away");
    for (LogLimiter* limiter : {&connected_, &disconnected_, &flooded_, &refused_}) limiter->flush();
  });
}

// --- calls -----------------------------------------------------------------------------------------

void WebSocketNode::Impl::call(const std::string& body, CallOptions options, Done done) {
  FANFARE_CHECK(executor_.on_thread());
  const auto call = std::make_shared<Call>();
  call->begun = executor_.now();
  const Duration timeout = std::min(options.timeout.value_or(options_.timeout), options_.timeout);
  call->options = std::move(options);
  call->done = std::move(done);
  call->hold = ByteHold(call->options.payer);
  if (call->options.attempt_record != nullptr) {
    if (const auto parts = split_uri(options_.url))
      call->options.attempt_record->set_server(parts->authority);
  }
  if (executor_.stopping()) return refuse(call, FailureKind::shutdown, "the worker is stopping");
  if (state_ == State::down) return refuse(call, FailureKind::connect, lost_why_);
  if (waiting_.size() >= options_.calls_max) {
    return refuse(call, FailureKind::overloaded, "too many calls wait for the node");
  }
  if (!take_apart(body, *call)) return refuse(call, FailureKind::bad_reply, "the call is not JSON-RPC");
  calls_.emplace(call.get(), call);
  for (std::size_t i = 0; i < call->elements.size(); ++i) {
    waiting_.emplace(call->wire_ids[i], Place{.call = call, .element = i});
  }
  call->timer = executor_.call_after(timeout, [this, call] {
    finish(call, std::unexpected(Failure{
                     .kind = FailureKind::timeout, .message = "no answer in time", .sent = call->sent}));
  });
  if (state_ == State::open) send(call);
}

// A batch is sent as single requests: one connection carries them all anyway. Nodes that reject a whole batch
// because of one element then reject only that element.
bool WebSocketNode::Impl::take_apart(std::string_view body, Call& call) {
  const auto message = parser_.parse(body);
  if (!message) return false;
  call.batch = message->batch;
  for (const jsonrpc::Request& request : message->requests) {
    if (request.is_notification()) {
      call.texts.push_back({.text = std::string(request.raw)});
      continue;
    }
    const std::uint64_t wire_id = ++wire_serial_;
    auto text = jsonrpc::replace_id(request.raw, std::to_string(wire_id));
    if (!text) return false;
    call.texts.push_back({.text = *std::move(text), .wire_id = wire_id});
    call.wire_ids.push_back(wire_id);
    call.elements.push_back({.id = std::string(request.id), .answer = {}});
  }
  call.open = call.elements.size();
  return true;
}

void WebSocketNode::Impl::send(const CallPtr& call) {
  call->sent = true;
  for (LinkMessage& message : std::exchange(call->texts, {})) {
    call->bytes_sent += message.text.size();
    link_->send(std::move(message), opened_);
  }
  if (call->open > 0) return;
  // Only notifications: no answer will come, and nothing ends inside call().
  executor_.cancel(call->timer);
  call->timer = executor_.call_at(executor_.now(), [this, call] { finish(call, Reply{.body = "[]"}); });
}

void WebSocketNode::Impl::answered(const Place& place, const jsonrpc::Answer& message) {
  Call& call = *place.call;
  if (!call.hold.grow(message.raw.size())) {
    return finish(place.call,
                  std::unexpected(Failure{
                      .kind = FailureKind::no_room, .message = "no room for the answer", .sent = true}));
  }
  Element& element = call.elements[place.element];
  element.answer = jsonrpc::with_new_id(message, element.id);
  if (--call.open > 0) return;
  Reply reply;
  if (!call.batch) {
    reply.body = std::move(element.answer);
    note_scan(reply, jsonrpc::answer_in(reply.body, message, element.id));
    reply.hold = std::make_shared<ByteHold>(std::move(call.hold));
    return finish(place.call, std::move(reply));
  }
  for (Element& each : call.elements) {
    reply.body += reply.body.empty() ? '[' : ',';
    reply.body += each.answer;
  }
  reply.body += ']';
  reply.hold = std::make_shared<ByteHold>(std::move(call.hold));
  finish(place.call, std::move(reply));
}

void WebSocketNode::Impl::finish(const CallPtr& call, Result result) {
  const CallPtr kept = call;  // the map and the timer hold the other references
  executor_.cancel(kept->timer);
  for (const std::uint64_t wire_id : kept->wire_ids) waiting_.erase(wire_id);
  calls_.erase(kept.get());
  if (result) {
    result->body = without_secrets_in_errors(std::move(result->body), secrets_);
  } else {
    result.error().message = scrubbed(std::move(result.error().message), secrets_);
  }
  if (observer_ != nullptr) {
    observer_->call_finished({.endpoint = name(),
                              .method = kept->options.method,
                              .latency = executor_.now() - kept->begun,
                              .failure = result ? std::nullopt : std::optional(result.error().kind),
                              .bytes_sent = kept->bytes_sent,
                              .bytes_received = result ? result->body.size() : 0});
  }
  Done done = std::move(kept->done);
  done(std::move(result));  // last: may destroy this
}

// In the next turn, because `done` never runs inside call().
void WebSocketNode::Impl::refuse(const CallPtr& call, FailureKind kind, std::string why) {
  Failure failure{.kind = kind, .message = std::move(why)};
  const bool posted = executor_.post([this, alive = std::weak_ptr(alive_), call, failure]() mutable {
    if (alive.expired()) {
      call->done(
          std::unexpected(Failure{.kind = FailureKind::shutdown, .message = "the endpoint went away"}));
    } else {
      finish(call, std::unexpected(std::move(failure)));
    }
  });
  if (!posted && call->done) call->done(std::unexpected(std::move(failure)));
}

void WebSocketNode::Impl::end_all(FailureKind kind, const std::string& why) {
  // Taken out first: `done` may call this object again.
  std::vector<CallPtr> all;
  for (const auto& [key, call] : calls_) all.push_back(call);
  for (const CallPtr& call : all) {
    if (!calls_.contains(call.get())) continue;
    finish(call, std::unexpected(Failure{.kind = kind, .message = why, .sent = call->sent}));
  }
}

// --- the connection --------------------------------------------------------------------------------

void WebSocketNode::Impl::link_opened() {
  const bool was_lost = std::exchange(was_lost_, false);
  if (was_lost && !options_.only_once) connected_.write({{"endpoint", name()}});
  set_flooding("");
  state_ = State::open;
  ++opened_;
  if (was_lost && reconnected_) reconnected_();
  for (std::size_t i = 0; i < topics_.size(); ++i) {
    const auto topic = static_cast<NodeTopic>(i);
    if (topics_[i].wanted) ask_topic(topic, "eth_subscribe", kTopicParams[i]);
  }
  std::vector<CallPtr> unsent;
  for (const auto& [key, call] : calls_) {
    if (!call->sent) unsent.push_back(call);
  }
  std::ranges::sort(unsent, {}, [](const CallPtr& call) { return call->begun; });
  for (const CallPtr& call : unsent) send(call);
}

void WebSocketNode::Impl::link_lost(const LinkLost& lost) {
  lost_why_ = scrubbed(lost.why, secrets_);
  log_lost(lost.flooding);
  if (lost.flooding && observer_ != nullptr) observer_->flooded(name());
  const FailureKind kind = state_ == State::open ? FailureKind::closed : FailureKind::connect;
  state_ = State::down;
  was_lost_ = true;
  for (std::size_t i = 0; i < topics_.size(); ++i) {
    topics_[i].wire_id = 0;
    topics_[i].id_json.clear();
    set_live(static_cast<NodeTopic>(i), false);
  }
  set_flooding(lost.flooding ? lost_why_ : std::string());
  end_all(kind, lost_why_);
  if (watcher_.lost) watcher_.lost(lost_why_, lost.unreachable);
}

void WebSocketNode::Impl::log_lost(bool is_flooding) {
  if (options_.only_once) return;
  if (is_flooding) {
    flooded_.write({{"endpoint", name()}, {"reason", lost_why_}});
  } else if (!was_lost_) {
    disconnected_.write({{"endpoint", name()}, {"reason", log::excerpt(lost_why_, kReasonBytes)}});
  }
}

// Calls wait for this attempt. It ends with link_opened() or link_lost().
void WebSocketNode::Impl::connect_now() {
  if (state_ != State::down || !flooding_.empty()) return;
  state_ = State::connecting;
  link_->connect_now();
}

void WebSocketNode::Impl::set_flooding(std::string why) {
  if (flooding_ == why) return;
  flooding_ = std::move(why);
  if (watcher_.flooding_changed) watcher_.flooding_changed();
}

void WebSocketNode::Impl::link_received(const jsonrpc::Answer& message) {
  if (message.is_notification()) return told(message);
  const auto wire_id = wire_id_of(message.id);
  if (!wire_id || topic_answered(*wire_id, message)) return;
  const auto found = waiting_.find(*wire_id);
  if (found == waiting_.end()) return;  // it came too late
  const Place place = std::move(found->second);
  waiting_.erase(found);
  answered(place, message);
}

// --- subscriptions ---------------------------------------------------------------------------------

void WebSocketNode::Impl::watch(NodeTopic topic, bool wanted) {
  Subscription& its = subscription(topic);
  if (std::exchange(its.wanted, wanted) == wanted || state_ != State::open) return;
  if (wanted) return ask_topic(topic, "eth_subscribe", kTopicParams[static_cast<std::size_t>(topic)]);
  if (!its.id_json.empty()) ask_topic(topic, "eth_unsubscribe", "[" + its.id_json + "]");
  its.wire_id = 0;  // the answer is ignored
  its.id_json.clear();
  set_live(topic, false);
}

void WebSocketNode::Impl::ask_topic(NodeTopic topic, std::string_view method, std::string_view params) {
  std::string text;
  Subscription& its = subscription(topic);
  its.wire_id = ++wire_serial_;
  jsonrpc::append_request(text, std::to_string(its.wire_id), method, params);
  const Asked asked = method == "eth_subscribe" ? asked_for(topic) : Asked::answer;
  link_->send({.text = std::move(text), .wire_id = its.wire_id, .asked = asked}, opened_);
}

bool WebSocketNode::Impl::topic_answered(std::uint64_t wire_id, const jsonrpc::Answer& answer) {
  const auto found = std::ranges::find(topics_, wire_id, &Subscription::wire_id);
  if (found == topics_.end()) return false;
  found->wire_id = 0;
  const auto topic = static_cast<NodeTopic>(found - topics_.begin());
  if (jsonrpc::kind_of(answer.result) != jsonrpc::Kind::string) {
    const std::string error = scrubbed(jsonrpc::read_error(answer.error).message, secrets_);
    if (!options_.only_once)
      refused_.write({{"endpoint", name()}, {"error", log::excerpt(error, kReasonBytes)}});
    if (watcher_.refused) watcher_.refused(topic, error);
    return true;
  }
  found->id_json = answer.result;
  set_live(topic, true);
  return true;
}

void WebSocketNode::Impl::told(const jsonrpc::Answer& notification) {
  const auto id = jsonrpc::member(notification.params, "subscription");
  const auto result = jsonrpc::member(notification.params, "result");
  if (!id || !result) return;
  const auto found = std::ranges::find(topics_, *id, &Subscription::id_json);
  if (found == topics_.end() || !watcher_.event) return;
  watcher_.event(static_cast<NodeTopic>(found - topics_.begin()), *result);
}

void WebSocketNode::Impl::set_live(NodeTopic topic, bool live) {
  if (std::exchange(subscription(topic).live, live) == live) return;
  if (watcher_.changed) watcher_.changed(topic, live);
}

WebSocketNode::WebSocketNode(Executor& executor, WebSocketOptions options, Observer* observer)
    : impl_(std::make_unique<Impl>(executor, std::move(options), observer)) {}
WebSocketNode::~WebSocketNode() = default;

void WebSocketNode::call(std::string body, CallOptions options, Done done) {
  impl_->call(body, std::move(options), std::move(done));
}
std::optional<std::uint64_t> WebSocketNode::connection() const {
  return impl_->connection();
}
void WebSocketNode::on_reconnect(std::function<void()> reconnected) {
  impl_->on_reconnect(std::move(reconnected));
}
void WebSocketNode::connect_now() {
  impl_->connect_now();
}
std::string_view WebSocketNode::name() const {
  return impl_->name();
}
void WebSocketNode::set_watcher(Watcher watcher) {
  impl_->set_watcher(std::move(watcher));
}
std::string_view WebSocketNode::flooding() const {
  return impl_->flooding();
}
void WebSocketNode::watch(NodeTopic topic, bool wanted) {
  impl_->watch(topic, wanted);
}

}  // namespace fanfare::upstream
