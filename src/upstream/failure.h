#pragma once
// Why a call to a node got no answer. An error object inside a JSON-RPC answer is not a failure: it is an
// answer, and it is passed on.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace fanfare::upstream {

enum class FailureKind : std::uint8_t {
  resolve,      // the host's name has no address
  connect,      // no TCP connection: refused, unreachable
  tls,          // the handshake or the certificate failed
  timeout,      // no complete answer within the call's timeout
  closed,       // the connection ended before the answer was complete
  http_status,  // answered with a status other than 2xx
  too_large,    // the answer is longer than response_bytes_max
  bad_reply,    // answered with something that is not HTTP or not JSON
  overloaded,   // the gateway's queue for the endpoint is full, or used up the call's time: not the node's
                // fault
  no_room,      // the caller's share of the memory has no room for the answer
  behind,       // no node of a pool has the block that the caller has seen (CallOptions::head_min)
  wrong_chain,  // the node is on another chain than its network; nothing was sent, or the answer was not used
  shutdown,     // the worker or the endpoint is shutting down; never retry
};

std::string_view to_string(FailureKind kind);

struct Failure {
  FailureKind kind = FailureKind::closed;
  // 0 if no status line came.
  int http_status = 0;
  // For people, without secrets: contains neither header values nor the URL's path, query and user.
  std::string message;
  // Whether some of the request may have reached the node. If false, any call can be retried elsewhere.
  bool sent = false;
  // The delay that the node requested (Retry-After in seconds), with 429 and 503.
  std::optional<Duration> retry_after;
  // The start of the body that came with a status other than 2xx: some nodes put a JSON-RPC error there.
  std::string body;
};

// Whether the failure says something about the node (and not about the gateway or this one call). The health
// of an endpoint is computed from these failures.
bool blames_endpoint(const Failure& failure);

}  // namespace fanfare::upstream
