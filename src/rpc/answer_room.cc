#include "rpc/answer_room.h"

#include "jsonrpc/response.h"

namespace fanfare::rpc {

bool AnswerRoom::take_answer(std::size_t bytes, std::string_view id, std::string& answer) {
  if (batch_bytes_max_ > 0 && (full_ || bytes > batch_bytes_max_ - answer_bytes_)) {
    full_ = true;
    // go-ethereum's text (rpc/errors.go), which clients may know.
    if (!id.empty()) {
      jsonrpc::append_error(answer, id, jsonrpc::ErrorCode::response_too_large, "response too large");
    }
    return false;
  }
  if (!hold_.grow(bytes)) {
    append_no_memory(answer, id);
    return false;
  }
  answer_bytes_ += bytes;
  return true;
}

void append_no_memory(std::string& answer, std::string_view id) {
  if (id.empty()) return;
  jsonrpc::append_error(answer, id, jsonrpc::ErrorCode::limit_exceeded,
                        "too much is under way for this client: ask for less at once, or again later");
}

}  // namespace fanfare::rpc
