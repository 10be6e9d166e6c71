#include "rpc/long_answer.h"

#include <cstring>

#include "base/check.h"
#include "jsonrpc/response.h"
#include "ws/encode.h"

namespace fanfare::rpc {

template <typename Visit>
bool LongAnswer::visit_on(Slice& slice, Visit visit) {
  while (next_ < message_.calls.size()) {
    if (!slice.take_step()) return false;
    for (std::size_t i = 0; i < kCallsAStep && next_ < message_.calls.size(); ++i) {
      visit(message_.calls[next_++]);
    }
  }
  return true;
}

std::optional<Reply> LongAnswer::join_on(Slice& slice) {
  if (!has_room_) {
    const bool is_measured = visit_on(slice, [this](Call& call) {
      end_record(call);
      if (!is_answered(call)) return;
      if (call.version_1) call.answer = jsonrpc::to_version_1(call.answer, call.id);
      bytes_ += call.answer.size() + 1;
    });
    if (!is_measured) return std::nullopt;
    if (bytes_ == 0) return take_reply();
    ++bytes_;
    make_room();
  }
  const bool is_joined = visit_on(slice, [this](Call& call) {
    const Call joined = std::move(call);  // its memory is freed here
    if (!is_answered(joined)) return;
    put(filled_ == 0 ? "[" : ",");
    put(joined.answer);
  });
  if (!is_joined) return std::nullopt;
  put("]");
  return take_reply();
}

void LongAnswer::make_room() {
  has_room_ = true;
  next_ = 0;
  switch (form_) {
    case Form::frame:
      frame_ = ws::message_frame(ws::Opcode::text, bytes_, payload_);
      break;
    case Form::text:
      text_.reserve(bytes_);
      break;
  }
}

void LongAnswer::put(std::string_view text) {
  FANFARE_CHECK(text.size() <= bytes_ - filled_);
  switch (form_) {
    case Form::frame:
      std::memcpy(payload_.data() + filled_, text.data(), text.size());
      break;
    case Form::text:
      text_ += text;
      break;
  }
  filled_ += text.size();
}

Reply LongAnswer::take_reply() {
  Reply reply{.text = std::move(text_),
              .frame = std::move(frame_),
              .subscribed = std::move(message_.subscribed),
              .withdrawn = std::move(message_.withdrawn),
              .hold = message_.room.release(),
              .retry_after = message_.retry_after};
  reply.hold.shrink_to(bytes_);
  return reply;
}

}  // namespace fanfare::rpc
