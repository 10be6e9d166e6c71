#pragma once
// The streams of one loop that have something to send, until the end of the turn. Loop thread.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/pages.h"
#include "net/prefetch.h"
#include "net/stream.h"

namespace fanfare::net {

class FlushList {
 public:
  // The loop flushes this stream before it goes on, so that it need not be listed. Null: none.
  void flushed_next(const Stream* stream) { flushed_next_ = stream; }

  // A stream that is flushed before the end of the turn stays in the list, with or without data to send.
  // Otherwise it could be listed twice, and the list could outlive it.
  [[gnu::always_inline]] void mark(Stream& stream) {
    if (stream.has(Stream::kDirty | Stream::kClosed)) return;
    stream.set(Stream::kDirty);
    if (is_to_be_listed(stream)) list(stream);
  }
  // The same for one that is neither. False, and not marked: the list has no room without more memory.
  [[gnu::always_inline]] bool mark_in_place(Stream& stream) {
    if (is_to_be_listed(stream)) {
      if (streams_.size() == streams_.capacity()) return false;
      list_now(stream);
    }
    stream.set(Stream::kDirty);
    return true;
  }

  bool empty() const { return streams_.empty(); }
  std::size_t size() const { return streams_.size(); }
  // Visits each stream and removes it. Those that a visit lists stay.
  template <typename Visit>
  void flush(Visit&& visit) {
    visit_and_remove(streams_, [&](Stream& stream) {
      stream.unset(Stream::kListed);
      visit(stream);
    });
  }
  static bool has(const Stream& stream) { return stream.has(Stream::kListed); }
  // Closed streams are never added, so the remaining entries are alive.
  void remove_closed() {
    std::erase_if(streams_, [](const Stream* stream) { return stream->fd() < 0; });
  }
  // `most`: the largest size since the last call.
  void release_unneeded(std::size_t most) { fanfare::release_unneeded(streams_, most); }

 private:
  bool is_to_be_listed(const Stream& stream) const {
    return &stream != flushed_next_ && !stream.has(Stream::kListed);
  }
  void list_now(Stream& stream) {
    stream.set(Stream::kListed);
    streams_.push_back(&stream);
  }
  [[gnu::noinline]] void list(Stream& stream) { list_now(stream); }

  const Stream* flushed_next_ = nullptr;
  PagesVector<Stream*> streams_;
};

}  // namespace fanfare::net
