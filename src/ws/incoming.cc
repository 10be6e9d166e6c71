#include "ws/incoming.h"

#include <algorithm>
#include <utility>

namespace fanfare::ws {
namespace {

constexpr std::size_t kFirstMessageBytes = 512;

std::unique_ptr<Incoming>& spare() {
  thread_local std::unique_ptr<Incoming> kept;
  return kept;
}

bool has_pages(const GrowingBytes& message) {
  return message.capacity() >= GrowingBytes::kMappedFromBytes;
}

// A stack: those at the bottom are not used for the longest time.
class KeptPages {
 public:
  void keep_of(GrowingBytes& message) {
    // Memory for the list is taken by give_to() only: this must not fail.
    const bool has_room =
        pages_.size() < pages_.capacity() && bytes_ + message.capacity() <= kKeptPagesBytesMax;
    if (!has_pages(message) || !has_room) return;
    bytes_ += message.capacity();
    pages_.push_back(std::exchange(message, {}));
  }
  void give_to(GrowingBytes& message) {
    pages_.reserve(kKeptPagesBytesMax / GrowingBytes::kMappedFromBytes);
    if (pages_.empty()) return;
    GrowingBytes pages = std::exchange(pages_.back(), {});
    pages_.pop_back();
    bytes_ -= pages.capacity();
    unused_ = std::min(unused_, pages_.size());
    pages.clear();
    pages.append(message.bytes());
    message = std::move(pages);
  }
  std::size_t release_unused() {
    for (std::size_t i = 0; i < unused_; ++i) bytes_ -= pages_[i].capacity();
    pages_.erase(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(unused_));
    unused_ = pages_.size();
    return bytes_;
  }

 private:
  std::vector<GrowingBytes> pages_;
  std::size_t bytes_ = 0;   // of all of them
  std::size_t unused_ = 0;  // at the bottom, since the last release_unused()
};

KeptPages& kept_pages() {
  thread_local KeptPages kept;
  return kept;
}

}  // namespace

std::size_t release_unused_pages() {
  return kept_pages().release_unused();
}

// Pages that another message has left may be many more than the bytes that have come: those are the thread's, not the peer's.
std::size_t Incoming::buffered_bytes() const {
  std::size_t bytes = message.capacity();
  if (has_pages(message)) {
    bytes = std::min(bytes, std::max(2 * message.size(), GrowingBytes::kMappedFromBytes));
  }
  return bytes + inflated.capacity();
}

void Incoming::append(Bytes piece, std::size_t bytes_max) {
  const std::size_t needed = message.size() + piece.size();
  if (needed > message.capacity()) {
    std::size_t room = std::min(std::max(message.capacity() * 2, kFirstMessageBytes), bytes_max);
    // `payload_left` no longer includes the piece.
    if (frame.fin && room - std::min(room, needed) > payload_left) room = needed + payload_left;
    room = std::max(room, needed);
    if (room >= GrowingBytes::kMappedFromBytes && !has_pages(message)) kept_pages().give_to(message);
    message.reserve(room);
  }
  message.append(piece);
}

void IncomingRecycler::operator()(Incoming* incoming) const {
  std::unique_ptr<Incoming> owned(incoming);
  std::vector<std::uint8_t>().swap(owned->inflated);
  kept_pages().keep_of(owned->message);
  if (owned->message.capacity() > kRecycledMessageBytesMax) owned->message.release();
  spare() = std::move(owned);
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
