#pragma once
// Whether a node's error object suggests another node. Nodes and providers send HTTP 200 with errors that do
// not answer the request: limits, pruned state, missing methods.

#include <cstdint>
#include <string_view>

#include "upstream/backend.h"

namespace fanfare::upstream {

enum class NodeError : std::uint8_t {
  answer,   // it answers the request: every node would say the same
  limited,  // this node is at a limit for now: limits, quotas, too many requests
  lacking,  // this node cannot know: pruned state, or a block or method that it does not have
};

// `error_json` is the raw error object of a JSON-RPC answer, as in jsonrpc::Answer::error.
NodeError judge_error(std::string_view error_json);

// The digits of `raw`, an id that was sent as a whole number. It may come back as that number, as text ("7")
// or as 7.0: some nodes do so.
std::string_view digits_of_id(std::string_view raw);
// Whether a node's reply is for a request with another id than `asked`. Empty `asked`: the answer
// is not checked. An error may be about a text that could not be parsed, and so have no id.
bool has_wrong_id(std::string_view asked, const Reply& reply);

}  // namespace fanfare::upstream
