#pragma once
// The answer to a batch with many calls, put together in slices.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "rpc/message.h"
#include "rpc/slices.h"

namespace fanfare::rpc {

class LongAnswer {
 public:
  // The answers of more calls are joined in slices.
  static constexpr std::size_t kCallsAtOnce = 1024;
  static constexpr std::size_t kCallsAStep = 16;

  // frame: of a WebSocket (Reply::frame); text: Reply::text.
  enum class Form : std::uint8_t { frame, text };
  // All calls are answered, and none is late.
  LongAnswer(Message message, Form form) : message_(std::move(message)), form_(form) {}

  // Goes on. Empty: there is more to do.
  std::optional<Reply> join_on(Slice& slice);

 private:
  static bool is_answered(const Call& call) { return !call.id.empty() && !call.answer.empty(); }
  // Calls `visit` for further calls, as far as the slice goes. True: for all of them.
  template <typename Visit>
  bool visit_on(Slice& slice, Visit visit);
  void make_room();
  void put(std::string_view text);
  Reply take_reply();

  Message message_;
  const Form form_;
  std::size_t next_ = 0;
  bool has_room_ = false;
  std::size_t bytes_ = 0;   // of the text
  std::size_t filled_ = 0;  // of them
  SharedBytes frame_;
  MutableBytes payload_;  // of the frame
  std::string text_;
};

}  // namespace fanfare::rpc
