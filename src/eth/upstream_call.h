#pragma once
// How the sources of this room speak to a node without knowing how it is reached: they say which calls they
// want, and are told the answers in whatever order those come.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace fanfare::eth {

struct UpstreamCall {
  std::uint64_t id = 0;     // for the reply; no other meaning
  std::string_view method;  // static
  std::string params_json;  // an array
  // Above 0: an answer to this was unusable so many times; to be put to another node if there is one.
  std::uint32_t attempt = 0;
  // The number of the block it is about, if there is one: a node known to have it is the better one to ask.
  std::uint64_t block = 0;
};

// Where sources that share a connection to a node take their call ids from, so that none repeats.
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
  int code = 0;  // of the error object, when rejected
  // The node may have carried the call out all the same, and its answer got lost on the way.
  bool maybe_done = false;
  std::string message;  // one line, for the log
};

// The raw JSON of `result`, whole, valid for the call it is passed to; `null` included.
using CallResult = std::expected<std::string_view, CallFailure>;

}  // namespace fanfare::eth
