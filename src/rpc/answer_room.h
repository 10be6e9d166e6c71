#pragma once
// Memory limits for one incoming message and its answers: a limit for the answer to a batch, as in
// go-ethereum, and the client's share of the process's memory (base/byte_budget.h). An answer without room
// becomes an error under its own id; the others are sent. One thread at a time.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/byte_budget.h"

namespace fanfare::rpc {

class AnswerRoom {
 public:
  // Without limits.
  AnswerRoom() = default;
  // `batch_bytes_max` zero: not a batch, without a limit of its own.
  AnswerRoom(std::shared_ptr<ByteShare> share, std::size_t batch_bytes_max)
      : hold_(std::move(share)), batch_bytes_max_(batch_bytes_max) {}

  // Takes room for the request itself. False: there is none.
  bool take_request(std::size_t bytes) { return hold_.grow(bytes); }
  // Takes room for one answer of the message. False: there is none, and `answer` becomes an error under the
  // id. Once the batch's limit is reached, no later answer has room, whatever its size.
  bool take_answer(std::size_t bytes, std::string_view id, std::string& answer);

  // The client's share, for code that holds parts of the answer before it is complete.
  const std::shared_ptr<ByteShare>& share() const { return hold_.share(); }
  // Keep this until the answer has been sent.
  ByteHold release() { return std::move(hold_); }

 private:
  ByteHold hold_;
  std::size_t batch_bytes_max_ = 0;
  std::size_t answer_bytes_ = 0;
  bool full_ = false;
};

// An error for an answer, or part of one, that did not fit into memory. Nothing for a notification (empty
// id).
void append_no_memory(std::string& answer, std::string_view id);

}  // namespace fanfare::rpc
