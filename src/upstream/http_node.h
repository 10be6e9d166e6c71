#pragma once
// A node behind HTTP: POSTs JSON-RPC texts over kept-alive connections. Two clients can carry the calls: our own one
// (builtin_client.h), which speaks HTTP/1.1 and costs least, and libcurl (curl_client.h), for HTTP/2 over TLS and a proxy.
//
// Redirects are not followed, environment proxies are not used, certificates are verified. A call that must
// not be repeated gets a new connection: if a reused one turned out to be dead, nobody could tell whether the
// call was executed.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "upstream/backend.h"
#include "upstream/http_client_choice.h"
#include "upstream/worker.h"

namespace fanfare::upstream {

inline constexpr std::size_t kResponseBytesMax = std::size_t{64} << 20;

struct HttpOptions {
  std::string url;   // http:// or https://
  std::string name;  // empty: the redacted URL
  // Sent with every call, after our own Content-Type and Accept.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string user_agent = "fanfare";
  // For one call; a caller's own timeout can only shorten it.
  Duration timeout = std::chrono::seconds(30);
  Duration connect_timeout = std::chrono::seconds(5);
  // Calls in flight at once; the others wait in the queue, in order.
  std::size_t connections_max = 64;
  // Beyond it a call ends at once with FailureKind::overloaded.
  std::size_t queued_calls_max = 4096;
  // Of the body, after decompression: a longer one ends the call with FailureKind::too_large.
  std::size_t response_bytes_max = kResponseBytesMax;
  bool http2 = true;    // only with https
  std::string ca_file;  // empty: the system's
  std::string proxy;    // empty: none, even if the environment names one
  HttpClientChoice client = HttpClientChoice::automatic;
};

// The client that will carry the calls, and why, for the log.
struct HttpClientDecision {
  HttpClientChoice client = HttpClientChoice::builtin;  // never automatic
  std::string reason;
};
HttpClientDecision decide_client(const HttpOptions& options);
// Why our own client, if it is chosen, cannot carry these calls, for people and without secrets; empty: it can.
std::optional<std::string> lacking_for_builtin(const HttpOptions& options);

// The problem with the options, as text for people without secrets; empty if there is none.
std::optional<std::string> problem_with(const HttpOptions& options);

class HttpNode final : public Backend {
 public:
  // `problem_with(options)` must be empty. The observer may be null.
  HttpNode(Worker& worker, HttpOptions options, Observer* observer = nullptr);
  // Any thread.
  ~HttpNode() override;

  void call(std::string body, CallOptions options, Done done) override;
  std::string_view name() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare::upstream
