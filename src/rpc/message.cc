#include "rpc/message.h"

#include <utility>

#include "base/guard.h"
#include "jsonrpc/response.h"
#include "rpc/long_answer.h"

namespace fanfare::rpc {
namespace {

// Each call's own copy is freed as soon as it is in the text.
void append_answers(std::string& text, std::vector<Call>& calls, bool batch) {
  std::size_t size = 2;
  for (const Call& call : calls) size += call.answer.size() + 1;
  text.reserve(size);
  for (Call& call : calls) {
    if (call.id.empty() || call.answer.empty()) continue;
    if (batch) text += text.empty() ? '[' : ',';
    text += call.answer;
    call.answer = {};
  }
  if (batch && !text.empty()) text += ']';
}

}  // namespace

void end_record(Call& call) {
  if (call.record == nullptr) return;
  trace::CallEnd end{.bytes_out = call.answer.size()};
  if (const auto answer = jsonrpc::split_response(call.answer); answer && !answer->error.empty()) {
    end.error_code = jsonrpc::read_error(answer->error).code;
  }
  std::exchange(call.record, nullptr)->end(end);
}

std::string join_answers(std::vector<Call>& calls, bool batch) {
  if (!batch && calls.size() == 1) return std::move(calls.front().answer);
  std::string text;
  if (run_guarded("the answer to a batch", [&] { append_answers(text, calls, batch); })) return text;
  text = {};
  for (Call& call : calls) {
    call.answer = {};
    append_no_memory(call.answer, call.id);
  }
  append_answers(text, calls, batch);
  return text;
}

Reply complete(Message message) {
  if (message.late > 0) return {.text = {}, .unfinished = std::make_unique<Message>(std::move(message))};
  for (Call& call : message.calls) {
    end_record(call);
    if (call.version_1 && !call.answer.empty()) call.answer = jsonrpc::to_version_1(call.answer, call.id);
  }
  Reply reply{.text = join_answers(message.calls, message.batch),
              .subscribed = std::move(message.subscribed),
              .withdrawn = std::move(message.withdrawn),
              .hold = message.room.release(),
              .retry_after = message.retry_after};
  reply.hold.shrink_to(reply.text.size());
  return reply;
}

Reply complete_on_loop(Message message) {
  if (message.calls.size() <= LongAnswer::kCallsAtOnce) return complete(std::move(message));
  return {.text = {}, .unfinished = std::make_unique<Message>(std::move(message))};
}

}  // namespace fanfare::rpc
