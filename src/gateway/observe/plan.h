#pragma once
// What the gateway records of each request: its access log, the ids of requests, and traces (docs/operations.md).

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/log_format.h"
#include "base/time.h"

namespace fanfare::gateway {

// The access log. Without a path there is none.
struct AccessLogPlan {
  enum class Errors : std::uint8_t { all, sampled };

  std::string path = {};  // "stdout", "stderr" or a file; empty: off
  log::Format format = log::Format::json;
  double sample = 1;                               // the part of requests, calls and sessions that is written
  Duration slower_than = std::chrono::seconds(1);  // slower ones are always written; zero: they are not
  Errors errors = Errors::all;                     // whether those with an error are always written
  std::size_t queued_lines_max = 8192;  // lines that wait for the disk; further ones are dropped and counted

  bool operator==(const AccessLogPlan&) const = default;
};

// Whose X-Request-Id and traceparent are taken.
enum class TrustedClients : std::uint8_t {
  none,
  loopback,  // clients on this machine: addresses of loopback, and Unix sockets
  all,       // a proxy in front sets them itself, or removes those of strangers
};

// Traces, exported over OTLP/HTTP. Without an endpoint there are none.
struct TracingPlan {
  std::string endpoint = {};                                 // the whole URL, with /v1/traces; empty: off
  std::vector<std::pair<std::string, std::string>> headers;  // of each export; they may be secret
  std::string service_name = "fanfare";
  std::vector<std::pair<std::string, std::string>> attributes;  // of the resource
  double sample = 1;                            // the part of traces that begin here and are recorded
  bool parent_based = true;                     // a client's traceparent decides for its trace
  Duration timeout = std::chrono::seconds(10);  // of one export
  Duration interval = std::chrono::seconds(5);  // spans wait for at most so long
  std::size_t batch_spans_max = 512;            // of one export
  std::size_t queued_spans_max = 2048;          // further ones are dropped and counted

  bool operator==(const TracingPlan&) const = default;
};

struct ObservePlan {
  AccessLogPlan access_log = {};
  TracingPlan tracing = {};
  bool request_ids = false;  // also without access log and traces
  TrustedClients trusted = TrustedClients::loopback;
  // The form of the log. A flag or a variable that chooses it is above the file.
  log::Format log_format = log::Format::text;
  std::string version = {};  // of the program

  bool operator==(const ObservePlan&) const = default;
  bool is_on() const { return request_ids || !access_log.path.empty() || !tracing.endpoint.empty(); }
};

}  // namespace fanfare::gateway
