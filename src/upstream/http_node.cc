#include "upstream/http_node.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/uri.h"
#include "jsonrpc/scan.h"
#include "jsonrpc/surrogates.h"
#include "jsonrpc/value.h"
#include "upstream/answer_secrets.h"
#include "upstream/builtin_client.h"
#include "upstream/curl_client.h"
#include "upstream/http_exchange.h"
#include "upstream/url.h"

namespace fanfare::upstream {
namespace {

// The kept part of a body that came with a status other than 2xx.
constexpr std::size_t kFailureBodyBytesMax = 4096;
// Idle exchanges kept for later calls: creating one of curl is most of the cost of a call.
constexpr std::size_t kIdleExchangesMax = 64;

// A JSON-RPC answer is an object or an array. It is scanned whole, so that a proxy's error page or a
// truncated text counts against the node, and the call is retried elsewhere. The scan of an object is kept.
bool is_json_rpc(const Reply& reply) {
  jsonrpc::Scanner scanner(reply.body);
  scanner.skip_space();
  if (scanner.peek() == '[') return jsonrpc::is_valid_json(reply.body, jsonrpc::kAnswerDepthMax);
  const jsonrpc::ScannedText scanned = jsonrpc::scan_response(reply.body);
  note_scan(reply, scanned.answer);
  return scanned.is_object;
}

}  // namespace

class HttpNode::Impl final : Worker::StopListener, HttpClient::Owner {
 public:
  Impl(Worker& worker, HttpOptions options, Observer* observer);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void call(std::string body, CallOptions options, Done done);
  Worker& worker() { return worker_; }
  std::string_view name() const { return options_.name; }

 private:
  struct Waiting {
    std::string body;
    CallOptions options;
    Done done;
    Instant begun;
    Instant deadline;
    TimerId timer;
    std::uint64_t serial;
  };

  void worker_stopping() override;
  void end_all(const char* why);
  std::unique_ptr<HttpClient> make_client();
  void start(Waiting waiting);
  void start_waiting();
  void finished(HttpExchange& exchange, HttpOutcome outcome) override;
  std::unique_ptr<HttpExchange> take_out(HttpExchange& exchange);
  void expire(std::uint64_t serial);
  void refuse(std::string_view method, Instant begun, Failure failure, Done done);
  void end_refused();
  bool may_ask_again(const HttpExchange& exchange) const;
  Result judge(HttpExchange& exchange, HttpOutcome outcome) const;
  void report(const CallReport& report) const {
    if (observer_ != nullptr) observer_->call_finished(report);
  }

  Worker& worker_;
  HttpOptions options_;
  Observer* observer_;
  std::vector<std::string> secrets_;
  std::string server_;  // "host:port", if the URL has one
  std::unique_ptr<HttpClient> client_;
  std::vector<std::unique_ptr<HttpExchange>> active_;  // each knows its index
  std::vector<std::unique_ptr<HttpExchange>> idle_;
  std::deque<Waiting> queue_;
  std::vector<std::pair<Failure, Done>> refused_;                // `done` runs in the worker's next turn
  std::shared_ptr<Impl*> self_ = std::make_shared<Impl*>(this);  // checked by posted tasks
  std::uint64_t serial_ = 0;
  std::uint64_t last_id_ = 0;
};

HttpNode::Impl::Impl(Worker& worker, HttpOptions options, Observer* observer)
    : worker_(worker),
      options_(std::move(options)),
      observer_(observer),
      secrets_(secrets_of(options_.url, options_.headers)) {
  FANFARE_CHECK(!problem_with(options_));
  if (options_.name.empty()) options_.name = redacted(options_.url);
  if (const auto parts = split_uri(options_.url)) server_ = parts->authority;
  client_ = make_client();
  worker_.run([this] { worker_.attach(*this); });
}

HttpNode::Impl::~Impl() {
  worker_.run([this] {
    worker_.detach(*this);
    end_all("the endpoint is going away");
    idle_.clear();
    client_.reset();
  });
}

std::unique_ptr<HttpClient> HttpNode::Impl::make_client() {
  const HttpClientDecision decision = decide_client(options_);
  std::string reason = decision.reason;
  const auto log = [&](HttpClientChoice client) {
    log::info("upstream_transport", {{"endpoint", name()}, {"client", name_of(client)}, {"reason", reason}});
  };
  if (decision.client == HttpClientChoice::builtin) {
    auto client = make_builtin_client(worker_, options_, *this);
    if (client) {
      log(HttpClientChoice::builtin);
      return *std::move(client);
    }
    reason = client.error();  // libcurl reports it with each call
  }
  log(HttpClientChoice::libcurl);
  return make_curl_client(worker_, options_, *this);
}

void HttpNode::Impl::worker_stopping() {
  end_all("the worker is stopping");
}

void HttpNode::Impl::end_all(const char* why) {
  const auto failure = [&](bool sent) {
    return Failure{.kind = FailureKind::shutdown, .message = why, .sent = sent};
  };
  // Taken out first: `done` may call this object again.
  auto active = std::exchange(active_, {});
  auto queue = std::exchange(queue_, {});
  for (const auto& exchange : active) client_->abandon(*exchange);
  client_->close();
  for (auto& exchange : active) {
    report({.endpoint = name(),
            .method = exchange->options.method,
            .latency = worker_.now() - exchange->begun,
            .failure = FailureKind::shutdown,
            .bytes_sent = exchange->body.size()});
    Done done = std::move(exchange->done);
    exchange.reset();
    done(std::unexpected(failure(true)));
  }
  for (Waiting& waiting : queue) {
    worker_.cancel(waiting.timer);
    waiting.done(std::unexpected(failure(false)));
  }
  end_refused();
}

void HttpNode::Impl::call(std::string body, CallOptions options, Done done) {
  FANFARE_CHECK(worker_.on_thread());
  const Instant begun = worker_.now();
  if (worker_.stopping()) {
    refuse(options.method, begun, {.kind = FailureKind::shutdown, .message = "the worker is stopping"},
           std::move(done));
    return;
  }
  // The caller may shorten this node's timeout, but not extend it.
  const Duration timeout = std::min(options.timeout.value_or(options_.timeout), options_.timeout);
  Waiting waiting{.body = std::move(body),
                  .options = std::move(options),
                  .done = std::move(done),
                  .begun = begun,
                  .deadline = begun + timeout,
                  .timer = {},
                  .serial = ++serial_};
  if (active_.size() < options_.connections_max) {
    start(std::move(waiting));
    return;
  }
  if (queue_.size() >= options_.queued_calls_max) {
    refuse(waiting.options.method, begun,
           {.kind = FailureKind::overloaded, .message = "too many calls wait for the endpoint"},
           std::move(waiting.done));
    return;
  }
  waiting.timer = worker_.call_at(waiting.deadline, [this, serial = waiting.serial] { expire(serial); });
  queue_.push_back(std::move(waiting));
}

// Ends the call unsent; in the next turn, because `done` never runs inside call().
void HttpNode::Impl::refuse(std::string_view method, Instant begun, Failure failure, Done done) {
  report({.endpoint = name(), .method = method, .latency = worker_.now() - begun, .failure = failure.kind});
  refused_.emplace_back(std::move(failure), std::move(done));
  if (refused_.size() > 1) return;
  worker_.post([self = std::weak_ptr(self_)] {
    if (const auto alive = self.lock()) (*alive)->end_refused();
  });
}

void HttpNode::Impl::end_refused() {
  auto refused = std::exchange(refused_, {});
  for (auto& [failure, done] : refused) done(std::unexpected(std::move(failure)));
}

void HttpNode::Impl::expire(std::uint64_t serial) {
  const auto found = std::ranges::find(queue_, serial, &Waiting::serial);
  if (found == queue_.end()) return;
  Waiting waiting = std::move(*found);
  queue_.erase(found);
  refuse(waiting.options.method, waiting.begun,
         {.kind = FailureKind::overloaded, .message = "no connection to the endpoint came free in time"},
         std::move(waiting.done));
}

void HttpNode::Impl::start(Waiting waiting) {
  std::unique_ptr<HttpExchange> exchange;
  if (idle_.empty()) {
    exchange = client_->make_exchange();
  } else {
    exchange = std::move(idle_.back());
    idle_.pop_back();
  }
  exchange->prepare(std::move(waiting.body), std::move(waiting.options), std::move(waiting.done),
                    waiting.begun, waiting.deadline);
  if (exchange->options.attempt_record != nullptr) {
    trace::Attempt& record = *exchange->options.attempt_record;
    if (!server_.empty()) record.set_server(server_);
    exchange->own_fields = record.headers();
  }
  exchange->id = give_id(exchange->body, ++last_id_);
  exchange->index = active_.size();
  HttpExchange& started = *active_.emplace_back(std::move(exchange));
  client_->start(started);
}

std::unique_ptr<HttpExchange> HttpNode::Impl::take_out(HttpExchange& exchange) {
  const std::size_t index = exchange.index;
  auto taken = std::move(active_[index]);
  if (index + 1 < active_.size()) {
    active_[index] = std::move(active_.back());
    active_[index]->index = index;
  }
  active_.pop_back();
  return taken;
}

void HttpNode::Impl::start_waiting() {
  while (!queue_.empty() && active_.size() < options_.connections_max && !worker_.stopping()) {
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    worker_.cancel(next.timer);
    start(std::move(next));
  }
}

Result HttpNode::Impl::judge(HttpExchange& exchange, HttpOutcome outcome) const {
  if (outcome.failure) {
    Failure& failure = *outcome.failure;
    if (exchange.too_large) failure.kind = FailureKind::too_large;
    if (failure.kind == FailureKind::too_large) {
      failure.message = "the answer is longer than " + std::to_string(options_.response_bytes_max) + " bytes";
    }
    if (exchange.no_memory) {
      failure.kind = FailureKind::no_room;
      failure.message = "there is no room for the answer";
    }
    failure.message = scrubbed(std::move(failure.message), secrets_);
    return std::unexpected(std::move(failure));
  }
  if (outcome.status < 200 || outcome.status > 299) {
    Failure failure{.kind = FailureKind::http_status,
                    .http_status = outcome.status,
                    .message = "HTTP status " + std::to_string(outcome.status),
                    .sent = true,
                    .retry_after = outcome.retry_after};
    failure.body = scrubbed(exchange.response.substr(0, kFailureBodyBytesMax), secrets_);
    return std::unexpected(std::move(failure));
  }
  Reply reply{.body = std::move(exchange.response)};
  if (!is_json_rpc(reply) && !(jsonrpc::replace_lone_surrogates(reply.body) && is_json_rpc(reply))) {
    return std::unexpected(Failure{.kind = FailureKind::bad_reply,
                                   .http_status = outcome.status,
                                   .message = "the answer is no JSON object or array",
                                   .sent = true});
  }
  if (!take_id_back(reply, exchange.id)) {
    exchange.got_another_answer = true;
    return std::unexpected(Failure{.kind = FailureKind::bad_reply,
                                   .http_status = outcome.status,
                                   .message = "the answer is to another call",
                                   .sent = true});
  }
  reply.body = without_secrets_in_errors(std::move(reply.body), secrets_);
  reply.hold = std::make_shared<ByteHold>(std::move(exchange.hold));
  reply.new_connection = outcome.new_connection;
  return reply;
}

// For an answer on a kept connection that does not belong to its call: the node answered an earlier call twice, or it announced with
// 408 that it closes an idle connection (RFC9110§15.5.9).
bool HttpNode::Impl::may_ask_again(const HttpExchange& exchange) const {
  return !exchange.needs_new_connection && exchange.options.repeat == Repeat::always && !worker_.stopping() &&
         worker_.now() < exchange.deadline;
}

void HttpNode::Impl::finished(HttpExchange& exchange, HttpOutcome outcome) {
  const std::size_t bytes_received = exchange.response.size();
  const int status = outcome.status;
  const bool on_kept = !outcome.new_connection;
  Result result = judge(exchange, std::move(outcome));
  if (on_kept && (exchange.got_another_answer || status == 408) && may_ask_again(exchange)) {
    exchange.prepare_again();
    return client_->start(exchange);
  }
  auto owned = take_out(exchange);
  report({.endpoint = name(),
          .method = exchange.options.method,
          .latency = worker_.now() - exchange.begun,
          .failure = result ? std::nullopt : std::optional(result.error().kind),
          .http_status = status,
          .bytes_sent = exchange.body.size(),
          .bytes_received = bytes_received});

  Done done = std::move(exchange.done);
  exchange.reset();
  if (idle_.size() < kIdleExchangesMax) idle_.push_back(std::move(owned));
  start_waiting();
  done(std::move(result));  // last: may destroy this
}

HttpNode::HttpNode(Worker& worker, HttpOptions options, Observer* observer)
    : impl_(std::make_unique<Impl>(worker, std::move(options), observer)) {}
HttpNode::~HttpNode() = default;

void HttpNode::call(std::string body, CallOptions options, Done done) {
  impl_->call(std::move(body), std::move(options), std::move(done));
}
std::string_view HttpNode::name() const {
  return impl_->name();
}

}  // namespace fanfare::upstream
