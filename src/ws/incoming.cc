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

class KeptPages {
 public:
  // Takes the message's pages if there is room for them. Never fails: memory for the list is reserved by move_in() only.
  void keep_of(GrowingBytes& message) {
    if (!has_pages(message) || kept_.size() == kept_.capacity()) return;
    if (bytes_ + message.capacity() > kKeptPagesBytesMax) return;
    bytes_ += message.capacity();
    kept_.push_back({.pages = std::exchange(message, {})});
  }
  // Moves the message into kept pages with room for so many bytes, if there are any. Their number is at most twice that: a peer
  // must not hold a large buffer by sending the beginning of a message.
  void move_in(GrowingBytes& message, std::size_t room) {
    kept_.reserve(kKeptPagesBytesMax / GrowingBytes::kMappedFromBytes);
    // The last ones that were kept are in the caches.
    const auto found = std::find_if(kept_.rbegin(), kept_.rend(), [room](const Kept& kept) {
      return kept.pages.capacity() >= room && kept.pages.capacity() <= 2 * room;
    });
    if (found == kept_.rend()) return;
    GrowingBytes pages = std::exchange(found->pages, {});
    kept_.erase(std::next(found).base());
    bytes_ -= pages.capacity();
    pages.clear();
    pages.append(message.bytes());
    keep_of(message);
    message = std::move(pages);
  }
  std::size_t release_unused() {
    std::erase_if(kept_, [this](const Kept& kept) {
      if (kept.is_used) return false;
      bytes_ -= kept.pages.capacity();
      return true;
    });
    for (Kept& kept : kept_) kept.is_used = false;
    return bytes_;
  }

 private:
  struct Kept {
    GrowingBytes pages;
    bool is_used = true;  // since the last release_unused()
  };
  std::vector<Kept> kept_;
  std::size_t bytes_ = 0;  // of all of them
};

KeptPages& kept_pages() {
  thread_local KeptPages kept;
  return kept;
}

}  // namespace

std::size_t release_unused_pages() {
  return kept_pages().release_unused();
}

void Incoming::append(Bytes piece, std::size_t bytes_max) {
  const std::size_t needed = message.size() + piece.size();
  if (needed > message.capacity()) {
    std::size_t room = std::min(std::max(message.capacity() * 2, kFirstMessageBytes), bytes_max);
    // `payload_left` no longer includes the piece.
    if (frame.fin && room - std::min(room, needed) > payload_left) room = needed + payload_left;
    room = std::max(room, needed);
    if (room >= GrowingBytes::kMappedFromBytes) kept_pages().move_in(message, room);
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
