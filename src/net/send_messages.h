#pragma once
// Message headers for sends with several parts. The kernel copies them on submission, so all headers of a
// turn share one block of memory, which the next turn reuses.

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/pages.h"

namespace fanfare::net {

class SendMessages {
 public:
  static constexpr std::size_t kPartsMax = 64;    // per send
  static constexpr std::size_t kCountMax = 4096;  // between two submissions

  struct Message {
    msghdr header;
    std::array<iovec, kPartsMax> parts;
  };

  SendMessages() = default;
  SendMessages(const SendMessages&) = delete;
  SendMessages& operator=(const SendMessages&) = delete;
  ~SendMessages() {
    if (all_ != nullptr) return_pages(all_, kBytes);
  }

  Message& next() {
    if (all_ == nullptr) all_ = reinterpret_cast<Message*>(take_pages(kBytes));
    FANFARE_CHECK(used_ < kCountMax);
    return all_[used_++];
  }
  void submitted() { used_ = 0; }
  // Frees the pages of headers that were not needed since the last call.
  void forget_unneeded() {
    if (all_ == nullptr) return;
    forget_pages(reinterpret_cast<std::uint8_t*>(all_ + used_), kBytes - used_ * sizeof(Message));
  }

 private:
  static constexpr std::size_t kBytes = std::bit_ceil(kCountMax * sizeof(Message));

  Message* all_ = nullptr;  // pages that were never used cost no memory
  std::size_t used_ = 0;
};

}  // namespace fanfare::net
