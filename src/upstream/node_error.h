#pragma once
// What a node's error object says about asking somebody else. Nodes and providers put into HTTP 200 what is
// no answer to the question: limits, state they have pruned, methods they lack.

#include <cstdint>
#include <string_view>

namespace fanfare::upstream {

enum class NodeError : std::uint8_t {
  answer,   // it answers the question: every node would say the same
  limited,  // this node answers no more for now: limits, quotas, too many requests
  lacking,  // this node cannot know: pruned state, a block or a method that it does not have
};

// `error_json` is the raw error object of a JSON-RPC answer, as jsonrpc::Answer::error has it.
NodeError judge_error(std::string_view error_json);

// The digits of an id that went out as a whole number and came back, raw, as that, as text ("7") or as 7.0:
// some nodes do so.
std::string_view digits_of_id(std::string_view raw);
// Whether a node's answer, whole, is to another question than the one with the id `asked`. Empty: it is not
// looked at. An error may be about a text that could not be read, and so have no id.
bool has_wrong_id(std::string_view asked, std::string_view answer_json);

}  // namespace fanfare::upstream
