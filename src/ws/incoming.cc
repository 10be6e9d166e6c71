#include "ws/incoming.h"

#include <algorithm>

namespace fanfare::ws {
namespace {

constexpr std::size_t kFirstMessageBytes = 512;

std::unique_ptr<Incoming>& spare() {
  thread_local std::unique_ptr<Incoming> kept;
  return kept;
}

}  // namespace

void Incoming::append(Bytes piece, std::size_t bytes_max) {
  const std::size_t needed = message.size() + piece.size();
  if (needed > message.capacity()) {
    std::size_t room = std::min(std::max(message.capacity() * 2, kFirstMessageBytes), bytes_max);
    // `payload_left` no longer includes the piece.
    if (frame.fin && room - std::min(room, needed) > payload_left) room = needed + payload_left;
    message.reserve(std::max(room, needed));
  }
  message.append(piece);
}

void IncomingRecycler::operator()(Incoming* incoming) const {
  std::unique_ptr<Incoming> owned(incoming);
  std::vector<std::uint8_t>().swap(owned->inflated);
  if (owned->message.capacity() <= kRecycledMessageBytesMax) spare() = std::move(owned);
}

IncomingPtr make_incoming() {
  if (spare() == nullptr) return IncomingPtr(new Incoming);
  Incoming* const again = spare().release();
  again->message.clear();
  again->due_piece = {};
  again->handed_out = false;
  again->payload_left = 0;
  again->wire_bytes = 0;
  again->fragments = 0;
  again->in_frame = false;
  again->in_message = false;
  again->utf8 = {};
  again->header_size = 0;
  again->control_size = 0;
  return IncomingPtr(again);
}

}  // namespace fanfare::ws
