#pragma once
// The implementation of a public Frame: the bytes that outboxes share. Immutable; any thread.

#include "base/shared_bytes.h"
#include "fanfare/session.h"
#include "ws/opcode.h"

namespace fanfare::api {

class EncodedFrame {
 public:
  EncodedFrame(ws::Opcode opcode, Bytes payload);

  static Frame make(ws::Opcode opcode, Bytes payload);
  static const SharedBytes& bytes_of(const Frame& frame);

 private:
  SharedBytes bytes_;
};

}  // namespace fanfare::api
