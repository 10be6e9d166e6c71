#include "bench/ring.h"

#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace fanfare::app {
namespace {

constexpr unsigned kSubmissions = 4096;
// Gives the server work while the rest is prepared.
constexpr unsigned kSubmitAfter = 64;
constexpr unsigned kBuffers = 2048;  // a power of two
constexpr std::size_t kBufferBytes = 16 * 1024;
// Buffers begin in different cache sets; at multiples of a page they would share sets.
constexpr std::size_t kBufferStride = kBufferBytes + 320;
constexpr std::uint64_t kReceive = 0;
constexpr std::uint64_t kSend = 1;

std::string error_of(const char* call, int code) {
  return std::string(call) + ": " + ::strerrordesc_np(code);
}

struct Ring {
  io_uring uring{};
  io_uring_buf_ring* buffers = nullptr;
  std::uint8_t* memory = nullptr;
  int returned = 0;
  unsigned prepared = 0;
  bool open = false;

  ~Ring() {
    if (open) io_uring_queue_exit(&uring);
    if (memory != nullptr) ::munmap(memory, kBuffers * kBufferStride);
    if (buffers != nullptr) ::munmap(buffers, kBuffers * sizeof(io_uring_buf));
  }
  io_uring_sqe* next() {
    io_uring_sqe* entry = io_uring_get_sqe(&uring);
    while (entry == nullptr) {
      io_uring_submit(&uring);
      entry = io_uring_get_sqe(&uring);
    }
    ++prepared;
    return entry;
  }
  std::uint8_t* buffer(unsigned index) const { return memory + index * kBufferStride; }
  void give_back(unsigned index) {
    io_uring_buf_ring_add(buffers, buffer(index), kBufferBytes, static_cast<unsigned short>(index),
                          io_uring_buf_ring_mask(kBuffers), returned++);
  }
  void show_returned() { io_uring_buf_ring_advance(buffers, std::exchange(returned, 0)); }
};

class UringRing final : public BenchRing {
 public:
  explicit UringRing(std::unique_ptr<Ring> ring) : ring_(std::move(ring)) {}
  void receive(std::size_t connection);
  void send(std::size_t connection, Bytes bytes, bool untold) override;
  void turn(Duration wait, Handler& handler) override;
  std::string_view name() const override { return "io_uring"; }

 private:
  std::unique_ptr<Ring> ring_;
  std::vector<std::size_t> starved_;  // connections that found no free buffer
};

void UringRing::receive(std::size_t connection) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_recv_multishot(entry, static_cast<int>(connection), nullptr, 0, 0);
  entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  entry->buf_group = 0;
  entry->user_data = connection << 1U | kReceive;
}

void UringRing::send(std::size_t connection, Bytes bytes, bool untold) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_send(entry, static_cast<int>(connection), bytes.data(), bytes.size(),
                     MSG_NOSIGNAL | MSG_WAITALL);
  entry->flags |= IOSQE_FIXED_FILE;
  if (untold) entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = connection << 1U | kSend;
  if (ring_->prepared < kSubmitAfter) return;
  io_uring_submit(&ring_->uring);
  ring_->prepared = 0;
}

void UringRing::turn(Duration wait, Handler& handler) {
  io_uring_cqe* first = nullptr;
  if (wait <= Duration::zero()) {
    io_uring_submit_and_get_events(&ring_->uring);
  } else {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
    __kernel_timespec time{.tv_sec = seconds.count(), .tv_nsec = (wait - seconds).count()};
    io_uring_submit_and_wait_timeout(&ring_->uring, &first, 1, &time, nullptr);
  }
  ring_->prepared = 0;
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_->uring, head, entry) {
    ++count;
    const auto connection = static_cast<std::size_t>(entry->user_data >> 1U);
    const bool over = (entry->flags & IORING_CQE_F_MORE) == 0;
    if ((entry->user_data & 1U) == kSend) {
      if (entry->res < 0) {
        handler.on_gone(connection, -entry->res);
      } else {
        handler.on_sent(connection);
      }
    } else if (entry->res > 0) {
      const unsigned buffer = entry->flags >> IORING_CQE_BUFFER_SHIFT;
      handler.on_bytes(connection, MutableBytes(ring_->buffer(buffer), static_cast<std::size_t>(entry->res)));
      ring_->give_back(buffer);
      if (over) receive(connection);
    } else if (entry->res == -ENOBUFS) {
      starved_.push_back(connection);
    } else {
      handler.on_gone(connection, -entry->res);
    }
  }
  io_uring_cq_advance(&ring_->uring, count);
  ring_->show_returned();
  for (const std::size_t connection : starved_) receive(connection);
  starved_.clear();
}

}  // namespace

BenchRing::Made make_uring_ring(const std::vector<int>& fds) {
  auto ring = std::make_unique<Ring>();
  io_uring_params params{};
  params.flags =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = 8 * kSubmissions;
  if (const int failed = io_uring_queue_init_params(kSubmissions, &ring->uring, &params); failed < 0) {
    return std::unexpected(error_of("io_uring_setup", -failed) + " (of Linux 6.1)");
  }
  ring->open = true;
  if (const int failed = io_uring_register_files(&ring->uring, fds.data(), static_cast<unsigned>(fds.size()));
      failed < 0) {
    return std::unexpected(error_of("io_uring_register files", -failed));
  }
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* memory = ::mmap(nullptr, kBuffers * kBufferStride, kProtection, kFlags, -1, 0);
  if (memory == MAP_FAILED) return std::unexpected(error_of("mmap", errno));
  ring->memory = static_cast<std::uint8_t*>(memory);
  memory = ::mmap(nullptr, kBuffers * sizeof(io_uring_buf), kProtection, kFlags, -1, 0);
  if (memory == MAP_FAILED) return std::unexpected(error_of("mmap", errno));
  ring->buffers = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = kBuffers;
  if (const int failed = io_uring_register_buf_ring(&ring->uring, &registration, 0); failed < 0) {
    return std::unexpected(error_of("io_uring_register buffers", -failed));
  }
  io_uring_buf_ring_init(ring->buffers);
  for (unsigned i = 0; i < kBuffers; ++i) ring->give_back(i);
  ring->show_returned();
  auto made = std::make_unique<UringRing>(std::move(ring));
  for (std::size_t i = 0; i < fds.size(); ++i) made->receive(i);
  return made;
}

}  // namespace fanfare::app
