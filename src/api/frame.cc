#include "api/frame.h"

#include <memory>

#include "base/check.h"
#include "ws/encode.h"

namespace fanfare {
namespace api {

EncodedFrame::EncodedFrame(ws::Opcode opcode, Bytes payload) : bytes_(ws::encode_message(opcode, payload)) {}

Frame EncodedFrame::make(ws::Opcode opcode, Bytes payload) {
  return Frame(std::make_shared<const EncodedFrame>(opcode, payload));
}

const SharedBytes& EncodedFrame::bytes_of(const Frame& frame) {
  FANFARE_CHECK(frame.encoded_ != nullptr);  // not moved from
  return frame.encoded_->bytes_;
}

}  // namespace api

Frame Frame::text(std::string_view payload) {
  return api::EncodedFrame::make(ws::Opcode::text, as_bytes(payload));
}

Frame Frame::binary(Bytes payload) {
  return api::EncodedFrame::make(ws::Opcode::binary, payload);
}

std::size_t Frame::size() const {
  return api::EncodedFrame::bytes_of(*this).size();
}

}  // namespace fanfare
