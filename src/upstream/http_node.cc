#include "upstream/http_node.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/check.h"
#include "base/guard.h"
#include "base/uri.h"
#include "jsonrpc/scan.h"
#include "jsonrpc/surrogates.h"
#include "jsonrpc/value.h"
#include "upstream/answer_secrets.h"
#include "upstream/curl_failure.h"
#include "upstream/curl_headers.h"
#include "upstream/url.h"

namespace fanfare::upstream {
namespace {

// The kept part of a body that came with a status other than 2xx.
constexpr std::size_t kFailureBodyBytesMax = 4096;
// Idle easy handles kept for later calls: creating one is most of the cost of a call.
constexpr std::size_t kIdleHandlesMax = 64;
// Memory that a finished call's buffer may keep for the next one.
constexpr std::size_t kIdleBufferBytesMax = std::size_t{64} << 10;

long to_ms(Duration duration) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<long>(std::max<decltype(count)>(count, 1));  // 0 means "no limit" to curl
}

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

class HttpNode::Impl final : Worker::StopListener {
 public:
  Impl(Worker& worker, HttpOptions options, Observer* observer);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void call(std::string body, CallOptions options, Done done);
  Worker& worker() { return worker_; }
  std::string_view name() const { return options_.name; }

 private:
  // An easy handle and its current call; reused for many calls.
  struct Call final : Worker::Transfer {
    explicit Call(Impl& owner) : impl(owner), easy(curl_easy_init()) { FANFARE_CHECK(easy != nullptr); }
    ~Call() override {
      curl_easy_cleanup(easy);
      curl_slist_free_all(own_headers);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    void finished(int curl_code) override { impl.finished(*this, curl_code); }

    Impl& impl;
    CURL* easy;
    std::array<char, CURL_ERROR_SIZE> error_text{};
    std::string body;
    CallOptions options;
    Done done;
    std::string response;
    bool too_large = false;
    bool no_memory = false;  // the answer did not fit into the process's memory or the payer's share
    ByteHold hold;           // the answer's bytes
    curl_slist* own_headers = nullptr;  // of this call alone; null: it has those of all
    Instant begun{};
    Instant deadline{};
  };
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
  std::unique_ptr<Call> take_handle();
  void set_own_headers(Call& call) const;
  void start(Waiting waiting);
  void start_waiting();
  void finished(Call& call, int curl_code);
  void expire(std::uint64_t serial);
  void refuse(std::string_view method, Instant begun, Failure failure, Done done);
  void end_refused();
  Result judge(Call& call, int curl_code) const;
  void report(const CallReport& report) const {
    if (observer_ != nullptr) observer_->call_finished(report);
  }
  static std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user);

  Worker& worker_;
  HttpOptions options_;
  Observer* observer_;
  std::vector<std::string> secrets_;
  curl_slist* headers_ = nullptr;
  std::unordered_map<Call*, std::unique_ptr<Call>> active_;
  std::vector<std::unique_ptr<Call>> idle_;
  std::deque<Waiting> queue_;
  std::vector<std::pair<Failure, Done>> refused_;                // `done` runs in the worker's next turn
  std::shared_ptr<Impl*> self_ = std::make_shared<Impl*>(this);  // checked by posted tasks
  std::uint64_t serial_ = 0;
};

HttpNode::Impl::Impl(Worker& worker, HttpOptions options, Observer* observer)
    : worker_(worker),
      options_(std::move(options)),
      observer_(observer),
      secrets_(secrets_of(options_.url, options_.headers)) {
  FANFARE_CHECK(!problem_with(options_));
  if (options_.name.empty()) options_.name = redacted(options_.url);
  // An empty "Expect:" keeps curl from waiting for "100 Continue" before large bodies.
  for (const char* line : {"Content-Type: application/json", "Accept: application/json", "Expect:"}) {
    headers_ = curl_slist_append(headers_, line);
  }
  for (const auto& [name, value] : options_.headers) {
    // curl spells a header without a value with a semicolon.
    std::string line = name;
    line.append(value.empty() ? ";" : ": ").append(value);
    headers_ = curl_slist_append(headers_, line.c_str());
  }
  worker_.run([this] { worker_.attach(*this); });
}

HttpNode::Impl::~Impl() {
  worker_.run([this] {
    worker_.detach(*this);
    end_all("the endpoint is going away");
    idle_.clear();
  });
  curl_slist_free_all(headers_);
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
  for (auto& [call, owned] : active) {
    worker_.abandon(call->easy);
    report({.endpoint = name(),
            .method = call->options.method,
            .latency = worker_.now() - call->begun,
            .failure = FailureKind::shutdown,
            .bytes_sent = call->body.size()});
    Done done = std::move(call->done);
    owned.reset();
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

std::unique_ptr<HttpNode::Impl::Call> HttpNode::Impl::take_handle() {
  if (!idle_.empty()) {
    auto call = std::move(idle_.back());
    idle_.pop_back();
    return call;
  }
  auto call = std::make_unique<Call>(*this);
  CURL* easy = call->easy;
  curl_easy_setopt(easy, CURLOPT_URL, options_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, options_.proxy.c_str());  // "" also ignores the environment
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");            // all encodings that this curl supports
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Otherwise ending a call during its name lookup would block the loop until the resolver returns.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, to_ms(options_.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(options_.response_bytes_max));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error_text.data());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Impl::take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, call.get());
  const bool use_http2 = options_.http2 && options_.url.starts_with("https://");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, use_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
  // Prefers to wait for a connection that will carry many calls over opening one per call.
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, use_http2 ? 1L : 0L);
  if (!options_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  return call;
}

void HttpNode::Impl::start(Waiting waiting) {
  auto call = take_handle();
  call->body = std::move(waiting.body);
  call->options = std::move(waiting.options);
  call->done = std::move(waiting.done);
  call->begun = waiting.begun;
  call->deadline = waiting.deadline;
  call->too_large = false;
  call->no_memory = false;
  call->hold = ByteHold(call->options.payer);
  call->error_text[0] = '\0';

  CURL* easy = call->easy;
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call->body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.data());  // not copied: owned by `call`
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, to_ms(call->deadline - worker_.now()));
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, call->options.repeat == Repeat::always ? 0L : 1L);

  if (call->options.attempt_record != nullptr) set_own_headers(*call);

  Call& started = *call;
  active_.emplace(&started, std::move(call));
  FANFARE_CHECK(worker_.start(easy, started));
}

void HttpNode::Impl::set_own_headers(Call& call) const {
  trace::Attempt& record = *call.options.attempt_record;
  if (const auto parts = split_uri(options_.url)) record.set_server(parts->authority);
  call.own_headers = headers_with(headers_, record.headers());
  curl_easy_setopt(call.easy, CURLOPT_HTTPHEADER, call.own_headers);
}

void HttpNode::Impl::start_waiting() {
  while (!queue_.empty() && active_.size() < options_.connections_max && !worker_.stopping()) {
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    worker_.cancel(next.timer);
    start(std::move(next));
  }
}

std::size_t HttpNode::Impl::take_body(char* data, std::size_t size, std::size_t count, void* user) {
  Call& call = *static_cast<Call*>(user);
  const std::size_t bytes = size * count;
  if (bytes > call.impl.options_.response_bytes_max - call.response.size()) {
    call.too_large = true;
    return 0;  // fewer than given: curl ends the transfer
  }
  // An exception must not pass through curl.
  call.no_memory = !call.hold.grow(bytes) ||
                   !run_guarded("an answer of a node", [&] { call.response.append(data, bytes); });
  if (!call.no_memory) return bytes;
  // Released now, not when the transfer has ended: of many answers that arrive together, some must fit.
  call.response = {};
  call.hold.release();
  return 0;
}

Result HttpNode::Impl::judge(Call& call, int curl_code) const {
  CURL* easy = call.easy;
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (curl_code != CURLE_OK) {
    Failure failure{.kind = failure_kind_of(curl_code),
                    .http_status = static_cast<int>(status),
                    .message = call.error_text[0] != '\0'
                                   ? std::string(call.error_text.data())
                                   : curl_easy_strerror(static_cast<CURLcode>(curl_code))};
    if (call.too_large) failure.kind = FailureKind::too_large;
    if (failure.kind == FailureKind::too_large) {
      failure.message = "the answer is longer than " + std::to_string(options_.response_bytes_max) + " bytes";
    }
    if (call.no_memory) {
      failure.kind = FailureKind::no_room;
      failure.message = "there is no room for the answer";
    }
    long request_bytes = 0;
    curl_off_t ready_after_us = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_after_us);
    failure.sent = request_bytes > 0 || ready_after_us > 0;
    failure.message = scrubbed(std::move(failure.message), secrets_);
    return std::unexpected(std::move(failure));
  }
  if (status < 200 || status > 299) {
    Failure failure{.kind = FailureKind::http_status,
                    .http_status = static_cast<int>(status),
                    .message = "HTTP status " + std::to_string(status),
                    .sent = true};
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    if (retry_after_s > 0) failure.retry_after = std::chrono::seconds(retry_after_s);
    failure.body = scrubbed(call.response.substr(0, kFailureBodyBytesMax), secrets_);
    return std::unexpected(std::move(failure));
  }
  Reply reply{.body = std::move(call.response)};
  if (!is_json_rpc(reply) && !(jsonrpc::replace_lone_surrogates(reply.body) && is_json_rpc(reply))) {
    return std::unexpected(Failure{.kind = FailureKind::bad_reply,
                                   .http_status = static_cast<int>(status),
                                   .message = "the answer is no JSON object or array",
                                   .sent = true});
  }
  long connections_opened = 0;
  curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections_opened);
  reply.body = without_secrets_in_errors(std::move(reply.body), secrets_);
  reply.hold = std::make_shared<ByteHold>(std::move(call.hold));
  reply.new_connection = connections_opened > 0;
  return reply;
}

void HttpNode::Impl::finished(Call& call, int curl_code) {
  auto owned = std::move(active_.extract(&call).mapped());
  const std::size_t bytes_received = call.response.size();
  Result result = judge(call, curl_code);
  long status = 0;
  curl_easy_getinfo(call.easy, CURLINFO_RESPONSE_CODE, &status);
  report({.endpoint = name(),
          .method = call.options.method,
          .latency = worker_.now() - call.begun,
          .failure = result ? std::nullopt : std::optional(result.error().kind),
          .http_status = static_cast<int>(status),
          .bytes_sent = call.body.size(),
          .bytes_received = bytes_received});

  Done done = std::move(call.done);
  call.hold.release();
  call.response.clear();
  if (call.response.capacity() > kIdleBufferBytesMax) call.response.shrink_to_fit();
  call.body = {};
  if (call.own_headers != nullptr) {
    curl_easy_setopt(call.easy, CURLOPT_HTTPHEADER, headers_);
    curl_slist_free_all(std::exchange(call.own_headers, nullptr));
  }
  if (idle_.size() < kIdleHandlesMax) idle_.push_back(std::move(owned));
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
