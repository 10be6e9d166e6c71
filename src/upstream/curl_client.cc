#include "upstream/curl_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/check.h"
#include "upstream/curl_failure.h"
#include "upstream/curl_headers.h"

namespace fanfare::upstream {
namespace {

long to_ms(Duration duration) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<long>(std::max<decltype(count)>(count, 1));  // 0 means "no limit" to curl
}

class CurlClient final : public HttpClient {
 public:
  CurlClient(Worker& worker, const HttpOptions& options, Owner& owner);
  ~CurlClient() override { curl_slist_free_all(headers_); }
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  std::unique_ptr<HttpExchange> make_exchange() override;
  void start(HttpExchange& exchange) override;
  void abandon(HttpExchange& exchange) override { worker_.abandon(static_cast<Transfer&>(exchange).easy); }
  void close() override {}  // the worker's curl keeps connections for all its nodes

 private:
  // An easy handle, and the call that it carries. Creating one is most of the cost of a call.
  struct Transfer final : HttpExchange, Worker::Transfer {
    explicit Transfer(CurlClient& owner) : client(owner), easy(curl_easy_init()) {
      FANFARE_CHECK(easy != nullptr);
    }
    ~Transfer() override {
      curl_easy_cleanup(easy);
      curl_slist_free_all(own_headers);
    }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    void finished(int curl_code) override {
      client.owner_.finished(*this, client.outcome_of(*this, curl_code));
    }

    CurlClient& client;
    CURL* easy;
    curl_slist* own_headers = nullptr;  // null: it has those of all calls
    std::array<char, CURL_ERROR_SIZE> error_text{};
  };

  void set_own_headers(Transfer& call) const;
  HttpOutcome outcome_of(Transfer& call, int curl_code) const;
  static Failure failure_of(const Transfer& call, int curl_code, int status);
  static std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user);

  Worker& worker_;
  const HttpOptions& options_;
  Owner& owner_;
  curl_slist* headers_ = nullptr;
};

CurlClient::CurlClient(Worker& worker, const HttpOptions& options, Owner& owner)
    : worker_(worker), options_(options), owner_(owner) {
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
}

std::unique_ptr<HttpExchange> CurlClient::make_exchange() {
  auto call = std::make_unique<Transfer>(*this);
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
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlClient::take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, call.get());
  const bool use_http2 = options_.http2 && options_.url.starts_with("https://");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, use_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
  // Prefers to wait for a connection that will carry many calls over opening one per call.
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, use_http2 ? 1L : 0L);
  if (!options_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  return call;
}

void CurlClient::start(HttpExchange& exchange) {
  auto& call = static_cast<Transfer&>(exchange);
  call.error_text[0] = '\0';
  CURL* easy = call.easy;
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.data());  // not copied: owned by `call`
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, to_ms(call.deadline - worker_.now()));
  // If a reused connection turned out to be dead, curl would send the call twice.
  const bool may_use_kept = call.options.repeat == Repeat::always && !call.needs_new_connection;
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, may_use_kept ? 0L : 1L);
  set_own_headers(call);
  worker_.start(easy, call);
}

void CurlClient::set_own_headers(Transfer& call) const {
  if (call.own_fields.empty() && call.own_headers == nullptr) return;
  curl_slist* const before = call.own_headers;
  call.own_headers = call.own_fields.empty() ? nullptr : headers_with(headers_, call.own_fields);
  curl_easy_setopt(call.easy, CURLOPT_HTTPHEADER, call.own_headers == nullptr ? headers_ : call.own_headers);
  curl_slist_free_all(before);
}

std::size_t CurlClient::take_body(char* data, std::size_t size, std::size_t count, void* user) {
  Transfer& call = *static_cast<Transfer*>(user);
  // Fewer bytes than given: curl ends the transfer.
  return call.take({data, size * count}, call.client.options_.response_bytes_max) ? size * count : 0;
}

Failure CurlClient::failure_of(const Transfer& call, int curl_code, int status) {
  Failure failure{.kind = failure_kind_of(curl_code),
                  .http_status = status,
                  .message = call.error_text[0] != '\0'
                                 ? std::string(call.error_text.data())
                                 : curl_easy_strerror(static_cast<CURLcode>(curl_code))};
  long request_bytes = 0;
  curl_off_t ready_after_us = 0;
  curl_easy_getinfo(call.easy, CURLINFO_REQUEST_SIZE, &request_bytes);
  curl_easy_getinfo(call.easy, CURLINFO_PRETRANSFER_TIME_T, &ready_after_us);
  failure.sent = request_bytes > 0 || ready_after_us > 0;
  return failure;
}

HttpOutcome CurlClient::outcome_of(Transfer& call, int curl_code) const {
  HttpOutcome outcome;
  long status = 0;
  curl_easy_getinfo(call.easy, CURLINFO_RESPONSE_CODE, &status);
  outcome.status = static_cast<int>(status);
  if (curl_code != CURLE_OK) outcome.failure = failure_of(call, curl_code, outcome.status);
  curl_off_t retry_after_s = 0;
  curl_easy_getinfo(call.easy, CURLINFO_RETRY_AFTER, &retry_after_s);
  if (retry_after_s > 0) outcome.retry_after = std::chrono::seconds(retry_after_s);
  long connections_opened = 0;
  curl_easy_getinfo(call.easy, CURLINFO_NUM_CONNECTS, &connections_opened);
  outcome.new_connection = connections_opened > 0;
  return outcome;
}

}  // namespace

std::unique_ptr<HttpClient> make_curl_client(Worker& worker, const HttpOptions& options,
                                             HttpClient::Owner& owner) {
  return std::make_unique<CurlClient>(worker, options, owner);
}

}  // namespace fanfare::upstream
