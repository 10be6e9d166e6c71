#pragma once
// One JSON-RPC message on its way: a request or a batch. Calls that are answered have their answers already;
// the open ones are left to their methods. The answers are sent together, under the callers' own ids, in the
// order of the calls.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/byte_budget.h"
#include "base/shared_bytes.h"
#include "base/time.h"
#include "rpc/answer_room.h"
#include "trace/call.h"

namespace fanfare::rpc {

struct Call {
  std::string id;  // the caller's raw token; empty: a notification, which is never answered
  std::string method;
  std::string params;          // raw, may be empty
  std::string answer;          // the complete answer; set: nothing is left to do
  bool version_1 = false;      // the answer is sent in the form of JSON-RPC 1
  bool late = false;           // answered by Methods::finish(), not by Methods::run()
  trace::CallPtr record = {};  // null: nobody records it
};

// A subscription that becomes active once the answer with its id is in the outbox. A client drops
// notifications for an id that it does not know yet.
struct Subscribed {
  std::string id;
  std::size_t call = 0;  // index of the call with the answer
  // Conditions of the answer, one bit each. They belong to the method (methods.h).
  std::uint32_t conditions = 0;
  // Not active at the same moment as the answer, but so much later.
  Duration active_after{};
};

struct Message {
  std::vector<Call> calls;
  bool batch = false;      // the answer is an array
  std::uint32_t open = 0;  // what Methods::run() must complete; counts as in flight
  AnswerRoom room = {};    // memory for the whole message
  std::vector<Subscribed> subscribed = {};
  std::vector<Subscribed> withdrawn = {};  // rejected after they were accepted
  // As in Reply.
  Duration retry_after = {};
  std::uint32_t late = 0;  // late calls
};

// The whole answer to a message.
struct Reply {
  std::string text;  // "": there is none, because all calls were notifications
  // In place of a text, for a WebSocket: the frame that is sent, uncompressed.
  SharedBytes frame = {};
  std::vector<Subscribed> subscribed = {};
  std::vector<Subscribed> withdrawn = {};
  ByteHold hold = {};      // the memory of the text, until it has been sent
  std::uint32_t open = 0;  // calls that end their flight once it is queued
  // Not zero: limits refused every call of the message. Over HTTP this is 429 with Retry-After.
  Duration retry_after = {};
  // Set: a message with late calls, or with so many that they are joined in slices (long_answer.h), in place of everything
  // above but `open`.
  std::unique_ptr<Message> unfinished = {};
};

// For the record of a call, if it has one: its answer is complete.
void end_record(Call& call);

// All answers as one text, "" if there are none. Frees each call's own answer. Without memory for that, the
// text has errors that say so under the same ids.
std::string join_answers(std::vector<Call>& calls, bool batch);

// Makes the reply of a message whose calls are all answered, but for late ones. Any thread.
Reply complete(Message message);
// As complete(), on a loop's thread, where many answers are not joined at once.
Reply complete_on_loop(Message message);

}  // namespace fanfare::rpc
