#pragma once
// Why a call to a node brought no answer. An error object inside a JSON-RPC answer is not a failure: that
// is an answer, and it is passed on.

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
  timeout,      // no complete answer within the call's time
  closed,       // the connection ended before the answer was complete
  http_status,  // answered, but not with 2xx
  too_large,    // the answer is longer than response_bytes_max
  bad_reply,    // answered with something that is not HTTP, or not JSON
  overloaded,   // our own queue for the endpoint is full, or took the call's time: not the node's fault
  no_room,      // the caller's share of the memory has no room for the answer
  behind,       // no node of a pool has the block that the caller has seen (CallOptions::head_min)
  wrong_chain,  // the node is on another chain than its network; nothing was sent, or the answer was not used
  shutdown,     // the worker or the endpoint is going away; never try again
};

std::string_view to_string(FailureKind kind);

struct Failure {
  FailureKind kind = FailureKind::closed;
  // 0 when no status line came.
  int http_status = 0;
  // For people, free of secrets: neither the URL's path, query and user nor header values stand in it.
  std::string message;
  // Whether some of the request may have reached the node. When false, any call can be made again elsewhere.
  bool sent = false;
  // What the node asked us to wait (Retry-After in seconds), with 429 and 503.
  std::optional<Duration> retry_after;
  // The start of the body that came with a status other than 2xx: some nodes put a JSON-RPC error there.
  std::string body;
};

// Whether the failure says something about the node (and not about us or about this one call): what the
// health of an endpoint is counted from.
bool blames_endpoint(const Failure& failure);

}  // namespace fanfare::upstream
