#pragma once
// One incoming JSON-RPC message on its way. The items that the gateway answers itself have their answers
// already, and the rest goes to the node in one call. The answers come back together under the callers' own
// ids. Worker thread.

#include <string>
#include <vector>

#include "fanfare/unique_function.h"
#include "gateway/shared_reads.h"
#include "rpc/message.h"
#include "upstream/backend.h"

namespace fanfare::gateway {

// `answer` set: answered by the gateway, not forwarded.
using ForwardItem = rpc::Call;
using rpc::AnswerRoom;

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

// All answers together, as in rpc::join_answers().
inline std::string join_answers(ForwardJob& job) {
  return rpc::join_answers(job.items, job.batch);
}

// Calls `done` once with the job and all its answers: join_answers() is the text to send back. `backend` must
// outlive the call. With `reads`, which must outlive it too, reads are shared with other callers, and
// answered from the cache if that is correct.
void forward(upstream::Backend& backend, SharedReads* reads, ForwardJob job,
             UniqueFunction<void(ForwardJob)> done);

// Appends the error for a call that got no answer.
// `request_id`: in its data and in the log; empty: there is none.
void append_failure(std::string& out, std::string_view id, const upstream::Failure& failure,
                    std::string_view request_id = {});
// Appends a node's own error: code, message and data, and no other members.
void append_node_error(std::string& out, std::string_view id, std::string_view error_json);

}  // namespace fanfare::gateway
