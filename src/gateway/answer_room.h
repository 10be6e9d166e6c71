#pragma once
// What one incoming message and its answers may occupy while they are here: a bound for the answer to a
// batch, as go-ethereum has one, and the client's share of the memory of the process (base/byte_budget.h). An
// answer for which there is no room becomes an error under its own id; the others are given. One thread at a
// time.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/byte_budget.h"

namespace fanfare::gateway {

class AnswerRoom {
 public:
  // Without bounds.
  AnswerRoom() = default;
  // `batch_bytes_max` zero: it is no batch, and has no bound of its own.
  AnswerRoom(std::shared_ptr<ByteShare> share, std::size_t batch_bytes_max)
      : hold_(std::move(share)), batch_bytes_max_(batch_bytes_max) {}

  // Room for the request itself. False: there is none.
  bool take_request(std::size_t bytes) { return hold_.grow(bytes); }
  // Room for one answer of the message. False: there is none, and `answer` says so under the id. Once the
  // bound of the batch is reached, no later answer has room, whatever its size.
  bool take_answer(std::size_t bytes, std::string_view id, std::string& answer);

  // The client's share, for those who hold parts of the answer before it is whole.
  const std::shared_ptr<ByteShare>& share() const { return hold_.share(); }
  // To be kept until the answer has left.
  ByteHold release() { return std::move(hold_); }

 private:
  ByteHold hold_;
  std::size_t batch_bytes_max_ = 0;
  std::size_t answer_bytes_ = 0;
  bool full_ = false;
};

// An answer, or a part of one, that cost more memory than there is. No answer for a notification (empty id).
void append_no_memory(std::string& answer, std::string_view id);

}  // namespace fanfare::gateway
