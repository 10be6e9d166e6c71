// The cost of io_uring alone, without WebSocket: every byte is sent back unchanged, or to all connections.
// Multishot accept into registered descriptors, multishot receive into a ring of provided buffers, and sends
// directly from those buffers. One call submits a whole turn and waits for the next one.

#include <fcntl.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <vector>

#include "echo_program.h"

namespace {

constexpr unsigned kSubmissions = 4096;
// Gives the clients work while the rest of a broadcast is prepared.
constexpr unsigned kSubmitAfter = 64;
constexpr unsigned kBuffers = 2048;  // a power of two
constexpr std::size_t kBufferBytes = 16 * 1024;
// Buffers begin in different cache sets; at multiples of a page they would share sets.
constexpr std::size_t kBufferStride = kBufferBytes + 320;

enum class Operation : std::uint8_t { accept, receive, send, close };

struct Piece {
  unsigned buffer;
  unsigned size;
};

struct Connection {
  std::deque<Piece>* waiting = nullptr;  // pieces after the send in progress; rare
  unsigned sends = 0;                    // in progress
  bool here = false;
  bool ended = false;
};

std::uint64_t tag_of(Operation operation, unsigned slot, unsigned buffer = 0) {
  return std::uint64_t{slot} << 32U | std::uint64_t{buffer} << 8U | static_cast<std::uint64_t>(operation);
}

class Echo {
 public:
  Echo(int listening, unsigned slots, bool broadcast)
      : listening_(listening), broadcast_(broadcast), connections_(slots) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = 16 * kSubmissions;
    if (io_uring_queue_init_params(kSubmissions, &ring_, &params) < 0 ||
        io_uring_register_files_sparse(&ring_, slots) < 0) {
      fanfare::bench::give_up("this kernel has no io_uring as it is needed here");
    }
    void* const memory = map(kBuffers * kBufferStride);
    buffer_memory_ = static_cast<char*>(memory);
    buffers_ = static_cast<io_uring_buf_ring*>(map(kBuffers * sizeof(io_uring_buf)));
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers_);
    registration.ring_entries = kBuffers;
    if (io_uring_register_buf_ring(&ring_, &registration, 0) < 0) {
      fanfare::bench::give_up("no buffer ring");
    }
    io_uring_buf_ring_init(buffers_);
    for (unsigned i = 0; i < kBuffers; ++i) give_back(i);
  }

  [[noreturn]] void run() {
    io_uring_prep_multishot_accept_direct(next(), listening_, nullptr, nullptr, 0);
    while (true) {
      show_returned();
      io_uring_submit_and_wait(&ring_, 1);
      unsigned head = 0;
      unsigned count = 0;
      io_uring_cqe* entry = nullptr;
      io_uring_for_each_cqe(&ring_, head, entry) {
        ++count;
        handle(*entry);
      }
      io_uring_cq_advance(&ring_, count);
      show_returned();
      for (const unsigned slot : starved_) receive(slot);
      starved_.clear();
    }
  }

 private:
  static void* map(std::size_t size) {
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fanfare::bench::give_up("no memory");
    return memory;
  }
  io_uring_sqe* next() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    while (entry == nullptr) {
      io_uring_submit(&ring_);
      entry = io_uring_get_sqe(&ring_);
    }
    return entry;
  }
  char* buffer(unsigned index) const { return buffer_memory_ + index * kBufferStride; }
  void give_back(unsigned index) {
    io_uring_buf_ring_add(buffers_, buffer(index), kBufferBytes, static_cast<unsigned short>(index),
                          io_uring_buf_ring_mask(kBuffers), static_cast<int>(returned_++));
  }
  void show_returned() {
    if (returned_ > 0) io_uring_buf_ring_advance(buffers_, static_cast<int>(returned_));
    returned_ = 0;
  }

  void handle(const io_uring_cqe& entry) {
    const auto operation = static_cast<Operation>(entry.user_data & 0xFFU);
    const auto slot = static_cast<unsigned>(entry.user_data >> 32U);
    switch (operation) {
      case Operation::accept:
        if (entry.res >= 0) {
          connections_[static_cast<unsigned>(entry.res)] = {.here = true};
          slots_used_ = std::max(slots_used_, static_cast<unsigned>(entry.res) + 1);
          receive(static_cast<unsigned>(entry.res));
        }
        if ((entry.flags & IORING_CQE_F_MORE) == 0) {
          io_uring_prep_multishot_accept_direct(next(), listening_, nullptr, nullptr, 0);
        }
        return;
      case Operation::receive:
        return received(slot, entry);
      case Operation::send:
        return sent(slot, static_cast<unsigned>(entry.user_data >> 8U) & 0xFFFFFFU);
      case Operation::close:
        return;
    }
  }

  void receive(unsigned slot) {
    io_uring_sqe* entry = next();
    io_uring_prep_recv_multishot(entry, static_cast<int>(slot), nullptr, 0, 0);
    entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    entry->buf_group = 0;
    entry->user_data = tag_of(Operation::receive, slot);
  }

  void received(unsigned slot, const io_uring_cqe& entry) {
    Connection& connection = connections_[slot];
    if (entry.res > 0) {
      const Piece piece{.buffer = entry.flags >> IORING_CQE_BUFFER_SHIFT,
                        .size = static_cast<unsigned>(entry.res)};
      if (broadcast_) {
        send_to_all(piece);
      } else {
        senders_[piece.buffer] = 1;
        send_or_wait(slot, piece);
      }
      if ((entry.flags & IORING_CQE_F_MORE) == 0) receive(slot);
    } else if (entry.res == -ENOBUFS) {
      starved_.push_back(slot);
    } else {
      connection.ended = true;
      leave_if_done(slot);
    }
  }

  void send_to_all(Piece piece) {
    senders_[piece.buffer] = 1;  // this function
    unsigned prepared = 0;
    for (unsigned slot = 0; slot < slots_used_; ++slot) {
      if (!connections_[slot].here || connections_[slot].ended) continue;
      ++senders_[piece.buffer];
      // Small enough for the socket's buffer to accept at once, so no send overtakes another.
      send(slot, piece);
      if (++prepared % kSubmitAfter == 0) io_uring_submit(&ring_);
    }
    let_go(piece.buffer);
  }
  void let_go(unsigned buffer_index) {
    if (--senders_[buffer_index] == 0) give_back(buffer_index);
  }

  void send_or_wait(unsigned slot, Piece piece) {
    Connection& connection = connections_[slot];
    if (connection.sends == 0) return send(slot, piece);
    if (connection.waiting == nullptr) connection.waiting = new std::deque<Piece>;
    connection.waiting->push_back(piece);
  }

  void send(unsigned slot, Piece piece) {
    io_uring_sqe* entry = next();
    io_uring_prep_send(entry, static_cast<int>(slot), buffer(piece.buffer), piece.size,
                       MSG_NOSIGNAL | MSG_WAITALL);
    entry->flags |= IOSQE_FIXED_FILE;
    entry->user_data = tag_of(Operation::send, slot, piece.buffer);
    ++connections_[slot].sends;
  }

  void sent(unsigned slot, unsigned buffer_index) {
    Connection& connection = connections_[slot];
    let_go(buffer_index);
    --connection.sends;
    if (connection.waiting != nullptr && !connection.waiting->empty()) {
      const Piece piece = connection.waiting->front();
      connection.waiting->pop_front();
      return send(slot, piece);
    }
    leave_if_done(slot);
  }

  void leave_if_done(unsigned slot) {
    Connection& connection = connections_[slot];
    if (!connection.ended || connection.sends > 0) return;
    if (connection.waiting != nullptr) {
      for (const Piece& piece : *connection.waiting) let_go(piece.buffer);
      delete connection.waiting;
    }
    connection = {};
    io_uring_sqe* entry = next();
    io_uring_prep_close_direct(entry, slot);
    entry->user_data = tag_of(Operation::close, slot);
  }

  io_uring ring_{};
  int listening_;
  bool broadcast_;
  std::vector<Connection> connections_;
  unsigned slots_used_ = 0;
  std::array<unsigned, kBuffers> senders_{};  // number of sends that still use a buffer
  io_uring_buf_ring* buffers_ = nullptr;
  char* buffer_memory_ = nullptr;
  unsigned returned_ = 0;
  std::vector<unsigned> starved_;
};

}  // namespace

int main(int argc, char** argv) {
  const fanfare::bench::EchoProgram program = fanfare::bench::program_of(argc, argv);
  if (program.deflate || !program.certificate.empty()) fanfare::bench::give_up("raw bytes only");
  fanfare::bench::raise_descriptor_limit();
  const auto listening = fanfare::bench::listen_for_echo(program.where);
  // With a blocking socket the ring waits in the kernel instead of returning EAGAIN.
  const int flags = ::fcntl(listening.get(), F_GETFL);
  ::fcntl(listening.get(), F_SETFL, flags & ~O_NONBLOCK);
  fanfare::bench::say_listening(listening.get());
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  Echo(listening.get(), static_cast<unsigned>(limit.rlim_cur), program.broadcast).run();
}
