#pragma once
// One incoming JSON-RPC message on its way. The items that the gateway answers itself have their answers
// already, and the rest goes to the node in one call. The answers come back together under the callers' own
// ids. Worker thread.

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
  // The highest head the caller was shown: a node below it may not answer calls that depend on it
  // (head_need.h).
  std::uint64_t head_min = 0;
  Duration timeout{};
  upstream::Caller caller = {};  // its turn in the node's queue
  AnswerRoom room = {};          // for the whole message
};

// All answers together: "" if there are none (notifications only). Without memory for that, errors that say
// so under the same ids.
std::string join_answers(ForwardJob& job);

// Calls `done` once with the job and all its answers: join_answers() is the text to send back. `backend` must
// outlive the call. With `reads`, which must outlive it too, reads are shared with other callers, and
// answered from the cache if that is correct.
void forward(upstream::Backend& backend, SharedReads* reads, ForwardJob job,
             UniqueFunction<void(ForwardJob)> done);

// Appends the error for a call that got no answer.
void append_failure(std::string& out, std::string_view id, const upstream::Failure& failure);

}  // namespace fanfare::gateway
