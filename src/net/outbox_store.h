#pragma once
// Where the outboxes of one loop's streams come from. With one answer at a time the same outbox goes round, without its construction and
// its way through the pool. Loop thread.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/block_pool.h"
#include "net/outbox.h"

namespace fanfare::net {

class OutboxStore {
 public:
  OutboxPtr take() { return spare_ == nullptr ? OutboxPtr(new (pool_.take()) Outbox) : std::move(spare_); }
  // Moves the spare outbox into `place`, which must be null, and returns space for `size` bytes at its beginning. Returns null, and
  // changes nothing, if there is no spare one or the arena's current chunk has no space.
  std::uint8_t* begin_spare(OutboxPtr& place, std::size_t size, Arena& arena) {
    if (spare_ == nullptr) return nullptr;
    std::uint8_t* const room = spare_->begin(size, arena);
    if (room != nullptr) place.swap(spare_);
    return room;
  }
  // Empties `outbox`, which may be null, and leaves null.
  void give_back(OutboxPtr& outbox) {
    if (outbox == nullptr) return;
    if (spare_ == nullptr && outbox->renew()) {
      spare_.swap(outbox);
    } else {
      outbox.reset();
    }
  }
  void release_unneeded() {
    spare_.reset();
    pool_.release_empty();
  }

 private:
  // A broadcast takes one for every stream and then returns all of them.
  BlockPool pool_{sizeof(Outbox), SIZE_MAX};
  OutboxPtr spare_;
};

}  // namespace fanfare::net
