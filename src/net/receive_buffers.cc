#include "net/receive_buffers.h"

#include <liburing.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/pages.h"

namespace fanfare::net {
namespace {

// Part of the kernel's interface, but newer than the distribution's liburing: IOU_PBUF_RING_INC.
constexpr std::uint16_t kFillIncrementally = 2;

constexpr unsigned kDenseBuffersMin = 4;
constexpr unsigned kDenseBuffersMax = 128;
constexpr std::size_t kDenseStreamsForEach = 8;  // 16 KiB per stream
constexpr std::size_t kDenseBufferBytes = 128 * 1024;
constexpr std::size_t kQuietBufferBytes = 16 * 1024;
constexpr std::size_t kQuietBytesMax = std::size_t{1} << 20U;  // received between two forget_unneeded() calls
// Each receive takes one buffer, so the number limits how much can arrive between two turns without waiting.
// The distance is not a multiple of the cache's way size: otherwise the first lines of all buffers would
// compete for the same cache set.
constexpr unsigned kSparseBuffersMin = 16;
constexpr unsigned kSparseBuffersMax = 512;
constexpr std::size_t kSparseBufferBytes = 16 * 1024 + 320;

// The kernel requires a power of two.
unsigned count_for(std::size_t wanted, std::size_t least, std::size_t most) {
  return static_cast<unsigned>(std::bit_ceil(std::clamp(wanted, least, most)));
}

// Pages are allocated on first use. Returns null and sets errno if there is no memory.
void* map_memory(std::size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

struct ReceiveBuffers::Shape {
  unsigned count;  // a power of two
  unsigned shown;  // initial and minimum number
  std::size_t bytes;
  std::size_t quiet_bytes;
  std::uint16_t flags;
};

std::optional<OsError> ReceiveBuffers::attach(io_uring& ring, std::size_t streams_max) {
  const Shape dense{
      .count = count_for(streams_max / kDenseStreamsForEach, kDenseBuffersMin, kDenseBuffersMax),
      .shown = kDenseBuffersMin,
      .bytes = kDenseBufferBytes,
      .quiet_bytes = kQuietBufferBytes,
      .flags = kFillIncrementally};
  if (!take(ring, dense)) return std::nullopt;
  const unsigned sparse = count_for(streams_max, kSparseBuffersMin, kSparseBuffersMax);
  return take(ring, {.count = sparse,
                     .shown = sparse,
                     .bytes = kSparseBufferBytes,
                     .quiet_bytes = kSparseBufferBytes,
                     .flags = 0});
}

ReceiveBuffers::~ReceiveBuffers() {
  release();
}

void ReceiveBuffers::release() {
  if (ring_ != nullptr) ::munmap(ring_, count_ * sizeof(io_uring_buf));
  if (memory_ != nullptr) ::munmap(memory_ - kOffsetInPage, kOffsetInPage + count_ * bytes_);
  ring_ = nullptr;
  memory_ = nullptr;
}

std::optional<OsError> ReceiveBuffers::take(io_uring& ring, const Shape& shape) {
  count_ = shape.count;
  bytes_ = shape.bytes;
  shown_min_ = shape.shown;
  quiet_bytes_ = shape.quiet_bytes;
  shown_bytes_ = quiet_bytes_;
  if (void* const memory = map_memory(kOffsetInPage + count_ * bytes_))
    memory_ = static_cast<std::uint8_t*>(memory) + kOffsetInPage;
  if (memory_ != nullptr) ring_ = static_cast<io_uring_buf_ring*>(map_memory(count_ * sizeof(io_uring_buf)));
  if (ring_ == nullptr) {
    OsError failed = last_error("mmap", "receive buffers");
    release();
    return failed;
  }
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
  registration.ring_entries = count_;
  registration.bgid = kGroup;
  // The field after bgid, which older headers call padding.
  constexpr std::size_t kFlagsAt = offsetof(io_uring_buf_reg, bgid) + sizeof(registration.bgid);
  std::memcpy(reinterpret_cast<std::uint8_t*>(&registration) + kFlagsAt, &shape.flags, sizeof(shape.flags));
  if (const int failed = io_uring_register_buf_ring(&ring, &registration, 0); failed < 0) {
    release();
    return OsError{.call = "io_uring_register", .code = -failed, .detail = "receive buffers"};
  }
  io_uring_buf_ring_init(ring_);
  filled_.assign(count_, 0);
  spare_.clear();
  for (unsigned i = count_; i > 0; --i) spare_.push_back(i - 1);
  show_more(shown_min_);
  return std::nullopt;
}

void ReceiveBuffers::release(unsigned index, Instant now) {
  came_ += filled_[index];
  if (small_shown_ > 0) --small_shown_;
  const bool is_needed = shown() <= shown_min_ || now - made_room_at_ < kNeededFor;
  return is_needed ? give_back(index) : retire(index);
}

void ReceiveBuffers::give_back(unsigned index) {
  filled_[index] = 0;
  io_uring_buf_ring_add(ring_, memory_ + index * bytes_, static_cast<unsigned>(shown_bytes_),
                        static_cast<unsigned short>(index), io_uring_buf_ring_mask(count_),
                        static_cast<int>(free_));
  ++free_;
}

void ReceiveBuffers::retire(unsigned index) {
  forget_pages(memory_ + index * bytes_, bytes_);
  spare_.push_back(index);
}

void ReceiveBuffers::show_them() {
  io_uring_buf_ring_advance(ring_, static_cast<int>(free_));
  free_ = 0;
}

void ReceiveBuffers::show_more(unsigned how_many) {
  for (; how_many > 0 && !spare_.empty(); --how_many) {
    give_back(spare_.back());
    spare_.pop_back();
  }
  show_free();
}

// First step: the same buffers, in full size. If those were not enough: twice as many.
void ReceiveBuffers::make_room(Instant now) {
  made_room_at_ = now;
  if (shown_bytes_ < bytes_) {
    shown_bytes_ = bytes_;
    small_shown_ = shown();
    were_small_ = true;
  } else if (!std::exchange(were_small_, small_shown_ > 0)) {
    show_more(shown());
  }
}

void ReceiveBuffers::forget_unneeded(bool in_use) {
  if (std::exchange(came_, 0) >= kQuietBytesMax) return;
  shown_bytes_ = quiet_bytes_;
  if (!in_use) forget_pages(memory_, count_ * bytes_);
}

}  // namespace fanfare::net
