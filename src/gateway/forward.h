#pragma once
// One incoming JSON-RPC message on its way through: what the gateway answers itself is answered already, the
// rest goes to the node in one call, and the answers come back together under the callers' own ids.
// Worker thread.

#include <string>
#include <vector>

#include "fanfare/unique_function.h"
#include "gateway/answer_room.h"
#include "gateway/shared_reads.h"
#include "upstream/backend.h"

namespace fanfare::gateway {

struct ForwardItem {
  std::string id;  // the caller's raw token; empty: a notification, which is never answered
  std::string method;
  std::string params;  // raw, may be empty
  std::string answer;  // set: answered by the gateway, not forwarded
};

struct ForwardJob {
  std::vector<ForwardItem> items;
  bool batch = false;  // the answer is an array
  // The highest head the caller was shown: a node below it may not answer what depends on it (head_need.h).
  std::uint64_t head_min = 0;
  Duration timeout{};
  upstream::Caller caller = {};  // whose turn it takes at the node
  AnswerRoom room = {};          // for everything of it
};

// The answers there are, together: "" if there are none (notifications only). Where there is no memory for
// that, errors that say so under the same ids.
std::string join_answers(ForwardJob& job);

// Calls `done` once with the job, all its answers in it: join_answers() is the text to send back.
// `backend` outlives the call. With `reads`, which outlives it too, reads are shared with others and answered
// from memory where that is right.
void forward(upstream::Backend& backend, SharedReads* reads, ForwardJob job,
             UniqueFunction<void(ForwardJob)> done);

// What a caller is told about a call that brought no answer.
void append_failure(std::string& out, std::string_view id, const upstream::Failure& failure);

}  // namespace fanfare::gateway
