#pragma once
// How a part without I/O talks to a node without knowing its transport: it produces calls and takes the answers
// in any order. The sources of eth use it, and streams that are polled.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace fanfare::jsonrpc {

struct UpstreamCall {
  std::uint64_t id = 0;     // identifies the reply; no other meaning
  std::string_view method;  // static
  std::string params_json;  // an array
  // Above 0: so many answers were unusable; the call should go to another node if there is one.
  std::uint32_t attempt = 0;
  // The number of the block that the call is about, if any: a node known to have the block is preferred.
  std::uint64_t block = 0;
};

// Allocates call ids, unique among the sources that share a connection to a node.
class CallIds {
 public:
  std::uint64_t next() { return ++last_; }

 private:
  std::uint64_t last_ = 0;
};

struct CallFailure {
  enum class Kind {
    unreachable,  // no answer: connection refused or lost, HTTP 429 or 5xx, a body that is not JSON-RPC
    timed_out,
    rejected,  // the node answered with an error object
  };
  Kind kind = Kind::unreachable;
  int code = 0;  // of a rejection
  // The node may have executed the call, although no answer arrived.
  bool maybe_done = false;
  std::string message;  // one line, for the log
};

// The raw JSON of `result`, complete, including `null`; valid only during the call that receives it.
using CallResult = std::expected<std::string_view, CallFailure>;

}  // namespace fanfare::jsonrpc
