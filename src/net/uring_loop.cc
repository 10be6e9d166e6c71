#include "net/uring_loop.h"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/pages.h"
#include "net/accept_pause.h"
#include "net/fetch_ahead.h"

namespace fanfare::net {
namespace {

// Submissions collected before the kernel is asked, a stream's receive and its send; more in one turn are
// submitted in between. And completions for each of them: what finds no room waits in the kernel.
constexpr std::size_t kSubmissionsMin = 64;
constexpr std::size_t kSubmissionsMax = 4096;
constexpr unsigned kCompletionsForEach = 4;
// The buffer ring, as most kernels since 6.12 fill it: receives lie side by side in large buffers, so what a
// turn brings is dense in the cache, however many streams it is from. They are filled in turn, so the fewer
// there are the warmer they stay; when there were not enough the kernel is offered as many again, and when
// there have been for a while one after the other goes back to the system. A quiet loop shows only the
// beginning of each.
constexpr unsigned kDenseBuffersMin = 4;
constexpr unsigned kDenseBuffersMax = 128;
constexpr std::size_t kDenseStreamsForEach = 8;  // 16 KiB for each stream
constexpr std::size_t kDenseBufferBytes = 128 * 1024;
constexpr Duration kBuffersNeededFor = std::chrono::seconds(10);
constexpr std::size_t kQuietBufferBytes = 16 * 1024;
constexpr std::size_t kQuietBytesMax = std::size_t{1} << 20U;  // received between two release_unneeded()
// And before: a receive takes a whole buffer for as long as its bytes are looked at, so the number is what
// can arrive between two turns before somebody has to wait. Not a multiple of the cache's ways apart: the
// first lines of all of them would fight for the same place.
constexpr unsigned kSparseBuffersMin = 16;
constexpr unsigned kSparseBuffersMax = 512;
constexpr std::size_t kSparseBufferBytes = 16 * 1024 + 320;
constexpr int kBufferGroup = 0;
// Of the kernel's interface, and newer than the distribution's liburing.
constexpr std::uint16_t kFillIncrementally = 2;     // IOU_PBUF_RING_INC
constexpr std::uint32_t kBufferHasMore = 1U << 4U;  // IORING_CQE_F_BUF_MORE
constexpr std::uint32_t kFeatureOf614 = 1U << 16U;  // IORING_FEAT_RW_ATTR
// Descriptors below this are registered: the kernel need not look them up and hold them for every send.
constexpr rlim_t kRegisteredMax = 65'536;
// Segments of one outbox given to one send.
constexpr std::size_t kPartsMax = 64;
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;

// What a completion belongs to: a pointer, and in its low bits which operation.
enum class Operation : std::uint64_t { receive, send, writable, hangup, connect, accept, wake, ignored };
constexpr std::uint64_t kOperationBits = 7;
static_assert(alignof(Stream) > kOperationBits || alignof(std::max_align_t) > kOperationBits);

template <typename Owner>
std::uint64_t tag_of(const Owner& owner, Operation operation) {
  return reinterpret_cast<std::uintptr_t>(&owner) | static_cast<std::uint64_t>(operation);
}

Operation operation_of(std::uint64_t tag) {
  return static_cast<Operation>(tag & kOperationBits);
}

void* owner_of(std::uint64_t tag) {
  return reinterpret_cast<void*>(tag & ~kOperationBits);
}

Stream& stream_of(std::uint64_t tag) {
  return *static_cast<Stream*>(owner_of(tag));
}

// The kernel wants powers of two.
unsigned sized_for(std::size_t wanted, std::size_t least, std::size_t most) {
  return static_cast<unsigned>(std::bit_ceil(std::clamp(wanted, least, most)));
}

void* map_memory(std::size_t size) {
  return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

}  // namespace

struct UringLoop::Ring {
  // The message headers of sends with several parts; the kernel has copied them once they are submitted.
  struct Message {
    msghdr header;
    std::array<iovec, kPartsMax> parts;
  };
  static constexpr std::size_t kMessagesBytes = std::bit_ceil(kSubmissionsMax * sizeof(Message));

  io_uring uring{};
  bool open = false;
  Message* messages = nullptr;  // one for each submission; pages that were never used cost nothing
  std::size_t messages_used = 0;
  std::uint64_t wakes = 0;

  // The buffers for receives: one memory, cut into `buffers_count` pieces, of which the kernel is shown some
  // in a ring.
  io_uring_buf_ring* buffers = nullptr;
  std::uint8_t* buffer_memory = nullptr;
  unsigned buffers_count = 0;
  unsigned shown_min = 0;
  std::vector<unsigned> buffers_spare;  // not shown
  std::size_t buffer_bytes = 0;
  std::size_t quiet_bytes = 0;                // of each that is shown, while little comes
  std::size_t shown_bytes = 0;                // now
  unsigned small_shown = 0;                   // still shown with fewer, and before all others
  bool were_small = false;                    // some of those there were since the last make_room()
  std::vector<std::uint32_t> buffers_filled;  // how far, each
  unsigned buffers_returned = 0;              // since they were last shown to the kernel
  std::size_t bytes_received = 0;             // since forget_unneeded(), in buffers that came back

  int descriptors_max = 0;  // the size of the table of registered descriptors, where each has its own number

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (messages != nullptr) return_pages(messages, kMessagesBytes);
    if (!open) return;
    io_uring_queue_exit(&uring);
    release_buffers();
  }

  io_uring_sqe* next() {
    io_uring_sqe* entry = io_uring_get_sqe(&uring);
    while (entry == nullptr) {
      submit();
      entry = io_uring_get_sqe(&uring);
    }
    return entry;
  }
  void submit() {
    io_uring_submit(&uring);
    messages_used = 0;
  }
  void make_descriptor_table(std::uint32_t features);
  bool register_descriptor(int fd) {
    return fd < descriptors_max &&
           io_uring_register_files_update(&uring, static_cast<unsigned>(fd), &fd, 1) == 1;
  }
  void unregister_descriptor(int fd) {
    constexpr int kNone = -1;
    io_uring_register_files_update(&uring, static_cast<unsigned>(fd), &kNone, 1);
  }
  // The owner of the completion behind `position` that comes next but one; past the last, of an older one.
  std::uintptr_t later_owner(unsigned position) const {
    return uring.cq.cqes[(position + kFetchAhead) & uring.cq.ring_mask].user_data & ~kOperationBits;
  }
  // The kernel has taken every entry, and every completion it had is in the completion queue.
  bool is_settled() { return io_uring_sq_ready(&uring) == 0 && !io_uring_cq_has_overflow(&uring); }
  Message& next_message() {
    if (messages == nullptr) messages = reinterpret_cast<Message*>(take_pages(kMessagesBytes));
    FANFARE_CHECK(messages_used < kSubmissionsMax);
    return messages[messages_used++];
  }

  // Tries what flush() builds on, with a peer that takes only a part.
  bool reports_short_sends();
  // `count` of them, a power of two, and `shown` to begin with.
  std::optional<OsError> register_buffers(unsigned count, unsigned shown, std::size_t bytes,
                                          std::uint16_t flags);
  void make_room();
  void show_more(unsigned how_many);
  void release_buffers() {
    if (buffers != nullptr) ::munmap(buffers, buffers_count * sizeof(io_uring_buf));
    if (buffer_memory != nullptr) ::munmap(buffer_memory, buffers_count * buffer_bytes);
    buffers = nullptr;
    buffer_memory = nullptr;
  }
  // What a receive put into the buffer its completion names.
  MutableBytes received(unsigned index, std::size_t size) {
    const MutableBytes bytes(buffer_memory + index * buffer_bytes + buffers_filled[index], size);
    buffers_filled[index] += static_cast<std::uint32_t>(size);
    return bytes;
  }
  unsigned shown() const { return buffers_count - static_cast<unsigned>(buffers_spare.size()); }
  void retire(unsigned index) {
    ::madvise(buffer_memory + index * buffer_bytes, buffer_bytes, MADV_DONTNEED);
    buffers_spare.push_back(index);
  }
  void give_back(unsigned index) {
    buffers_filled[index] = 0;
    io_uring_buf_ring_add(buffers, buffer_memory + index * buffer_bytes, static_cast<unsigned>(shown_bytes),
                          static_cast<unsigned short>(index), io_uring_buf_ring_mask(buffers_count),
                          static_cast<int>(buffers_returned));
    ++buffers_returned;
  }
  // The pages of what was not needed since it was called last; the kernel may fill them again. True: little
  // came.
  bool forget_unneeded();
  void show_returned() {
    if (buffers_returned == 0) return;
    io_uring_buf_ring_advance(buffers, static_cast<int>(buffers_returned));
    buffers_returned = 0;
  }
};

std::optional<OsError> UringLoop::Ring::register_buffers(unsigned count, unsigned shown, std::size_t bytes,
                                                         std::uint16_t flags) {
  buffers_count = count;
  buffer_bytes = bytes;
  // Where a receive takes a whole one, nothing is won by less.
  quiet_bytes = (flags & kFillIncrementally) == 0 ? bytes : kQuietBufferBytes;
  shown_bytes = quiet_bytes;
  // Memory is taken page by page as buffers are first used, so a quiet loop costs little.
  void* memory = map_memory(count * bytes);
  if (memory == MAP_FAILED) return last_error("mmap");
  buffer_memory = static_cast<std::uint8_t*>(memory);
  memory = map_memory(count * sizeof(io_uring_buf));
  if (memory == MAP_FAILED) return last_error("mmap");
  buffers = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = count;
  registration.bgid = kBufferGroup;
  // The field after bgid: older headers call it padding.
  constexpr std::size_t kFlagsAt = offsetof(io_uring_buf_reg, bgid) + sizeof(registration.bgid);
  std::memcpy(reinterpret_cast<std::uint8_t*>(&registration) + kFlagsAt, &flags, sizeof(flags));
  if (const int failed = io_uring_register_buf_ring(&uring, &registration, 0); failed < 0) {
    release_buffers();
    return OsError{.call = "io_uring_register", .code = -failed, .detail = "buffer ring"};
  }
  io_uring_buf_ring_init(buffers);
  buffers_filled.assign(count, 0);
  buffers_spare.clear();
  for (unsigned i = count; i > 0; --i) buffers_spare.push_back(i - 1);
  shown_min = shown;
  show_more(shown);
  return std::nullopt;
}

bool UringLoop::Ring::forget_unneeded() {
  if (messages != nullptr) {
    forget_pages(reinterpret_cast<std::uint8_t*>(messages + messages_used),
                 kMessagesBytes - messages_used * sizeof(Message));
  }
  const bool quiet = std::exchange(bytes_received, 0) < kQuietBytesMax;
  // Receives happen within our own calls (DEFER_TASKRUN): with every completion handed out, nobody needs what
  // is in the buffers.
  if (quiet && io_uring_cq_ready(&uring) == 0 && !io_uring_cq_has_overflow(&uring)) {
    forget_pages(buffer_memory, buffers_count * buffer_bytes);
  }
  return quiet;
}

// First the same buffers, whole; when those were not enough, as many again.
void UringLoop::Ring::make_room() {
  if (shown_bytes < buffer_bytes) {
    shown_bytes = buffer_bytes;
    small_shown = shown();
    were_small = true;
  } else if (!std::exchange(were_small, small_shown > 0)) {
    show_more(shown());
  }
}

void UringLoop::Ring::show_more(unsigned how_many) {
  for (; how_many > 0 && !buffers_spare.empty(); --how_many) {
    give_back(buffers_spare.back());
    buffers_spare.pop_back();
  }
  show_returned();
}

// Before 6.14 a descriptor that is taken out of the table stays open until every operation that began before
// has ended, those of others, too: a connection could not be closed while a neighbour listens.
void UringLoop::Ring::make_descriptor_table(std::uint32_t features) {
  rlimit limit{};
  if ((features & kFeatureOf614) == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto size = static_cast<unsigned>(std::min(limit.rlim_cur, kRegisteredMax));
  if (io_uring_register_files_sparse(&uring, size) == 0) descriptors_max = static_cast<int>(size);
}

bool UringLoop::Ring::reports_short_sends() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return false;
  const Descriptor near(ends[0]);
  const Descriptor far(ends[1]);
  const std::vector<std::uint8_t> much(std::size_t{4} << 20U);
  io_uring_sqe* entry = next();
  io_uring_prep_send(entry, near.get(), much.data(), much.size(), kSendFlags);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_submit_and_get_events(&uring);
  io_uring_cqe* completion = nullptr;
  if (io_uring_peek_cqe(&uring, &completion) != 0) return false;
  const auto taken = completion->res;
  io_uring_cqe_seen(&uring, completion);
  return taken > 0 && static_cast<std::size_t>(taken) < much.size();
}

struct UringLoop::Listener {
  Descriptor descriptor;
  AcceptHandler handler;
  bool stopped = false;
  AcceptPause pause;
};

std::expected<std::unique_ptr<Loop>, OsError> UringLoop::create(const LoopOptions& options) {
  auto ring = std::make_unique<Ring>();
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
  const unsigned submissions = sized_for(2 * options.streams_max, kSubmissionsMin, kSubmissionsMax);
  params.cq_entries = kCompletionsForEach * submissions;
  if (const int failed = io_uring_queue_init_params(submissions, &ring->uring, &params); failed < 0) {
    return std::unexpected(OsError{.call = "io_uring_setup", .code = -failed, .detail = {}});
  }
  ring->open = true;
  // Known by a number, it need not be looked up and held for every call. The number is this thread's, and
  // another one that ends the loop cannot give back its own by it: SINGLE_ISSUER refuses.
  io_uring_register_ring_fd(&ring->uring);
  const unsigned dense =
      sized_for(options.streams_max / kDenseStreamsForEach, kDenseBuffersMin, kDenseBuffersMax);
  if (ring->register_buffers(dense, kDenseBuffersMin, kDenseBufferBytes, kFillIncrementally)) {
    const unsigned sparse = sized_for(options.streams_max, kSparseBuffersMin, kSparseBuffersMax);
    if (auto failed = ring->register_buffers(sparse, sparse, kSparseBufferBytes, 0)) {
      return std::unexpected(*std::move(failed));
    }
  }
  if (!ring->reports_short_sends()) {
    return std::unexpected(OsError{.call = "io_uring_enter", .code = EOPNOTSUPP, .detail = "short sends"});
  }
  ring->make_descriptor_table(params.features);
  std::unique_ptr<UringLoop> loop(new UringLoop(options, std::move(ring)));
  loop->arm_wake();
  return loop;
}

UringLoop::UringLoop(const LoopOptions& options, std::unique_ptr<Ring> ring)
    : Loop(options), ring_(std::move(ring)) {}

UringLoop::~UringLoop() {
  close_all();
}

bool UringLoop::poll(Duration wait) {
  io_uring_cqe* first = nullptr;
  if (wait <= Duration::zero()) {
    io_uring_submit_and_get_events(&ring_->uring);
  } else {
    const auto bounded = std::min<Duration>(wait, std::chrono::hours(1));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(bounded);
    __kernel_timespec time{.tv_sec = seconds.count(), .tv_nsec = (bounded - seconds).count()};
    io_uring_submit_and_wait_timeout(&ring_->uring, &first, 1, &time, nullptr);
  }
  ring_->messages_used = 0;
  update_now();
  settle_sends();
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_->uring, head, entry) {
    ++count;
    fetch_ahead(ring_->later_owner(head));
    handle(entry->user_data, {.result = entry->res, .flags = entry->flags});
  }
  io_uring_cq_advance(&ring_->uring, count);
  ring_->show_returned();
  rearm_starved();
  return count > 0;
}

void UringLoop::release_unneeded() {
  for (auto* list : {&starved_, &sending_, &settling_}) fanfare::release_unneeded(*list, most_flushed_);
  const bool quiet = ring_->forget_unneeded();
  if (quiet) ring_->shown_bytes = ring_->quiet_bytes;
  Loop::release_unneeded();
}

void UringLoop::handle(std::uint64_t tag, Completion completion) {
  void* const owner = owner_of(tag);
  switch (operation_of(tag)) {
    case Operation::receive:
      return received(*static_cast<Stream*>(owner), completion);
    case Operation::send:
      return;  // settle_sends() has been there
    case Operation::writable:
      return writable(*static_cast<Stream*>(owner));
    case Operation::hangup:
      return hung_up(*static_cast<Stream*>(owner), completion);
    case Operation::connect:
      return connect_over(*static_cast<Stream*>(owner), completion);
    case Operation::accept:
      return accepted(*static_cast<Listener*>(owner), completion);
    case Operation::wake:
      return arm_wake();
    case Operation::ignored:
      return;
  }
}

void UringLoop::arm_wake() {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_read(entry, wake_fd(), &ring_->wakes, sizeof(ring_->wakes), 0);
  io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::wake));
}

void UringLoop::cancel(std::uint64_t tag) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_cancel64(entry, tag, 0);
  io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::ignored));
}

void UringLoop::start(Stream& stream) {
  // On a non-blocking socket the kernel would answer EAGAIN instead of waiting for us.
  const int flags = ::fcntl(stream.fd_, F_GETFL);
  if ((flags & O_NONBLOCK) != 0) ::fcntl(stream.fd_, F_SETFL, flags & ~O_NONBLOCK);
  if (ring_->register_descriptor(stream.fd_)) stream.set(Stream::kRegistered);
  if (!stream.has(Stream::kConnecting)) return arm_receive(stream);
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_poll_add(entry, stream.fd_, POLLOUT);
  begin(*entry, stream, tag_of(stream, Operation::connect));
}

// An entry on the stream's descriptor, which is its own number in the table.
void UringLoop::begin(io_uring_sqe& entry, Stream& stream, std::uint64_t tag) {
  if (stream.has(Stream::kRegistered)) entry.flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(&entry, tag);
  ++stream.operations_;
}

void UringLoop::arm_receive(Stream& stream) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_recv_multishot(entry, stream.fd_, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = kBufferGroup;
  begin(*entry, stream, tag_of(stream, Operation::receive));
  stream.set(Stream::kReadArmed);
}

// While nothing is read: the kernel reports an error or the end of both directions without being asked. It
// also reports the peer's FIN, which says nothing new, so one report must not be the last.
void UringLoop::arm_hangup(Stream& stream) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_poll_multishot(entry, stream.fd_, 0);
  begin(*entry, stream, tag_of(stream, Operation::hangup));
  stream.set(Stream::kHangupArmed);
}

void UringLoop::update_reading(Stream& stream) {
  if (stream.has(Stream::kClosed) || stream.has(Stream::kConnecting)) return;
  const bool wanted = !stream.has(Stream::kReadPaused) && !stream.has(Stream::kEnded);
  if (wanted) {
    if (stream.has(Stream::kHangupArmed)) cancel(tag_of(stream, Operation::hangup));
    if (!stream.has(Stream::kReadArmed)) arm_receive(stream);
  } else {
    if (stream.has(Stream::kReadArmed)) cancel(tag_of(stream, Operation::receive));
    if (!stream.has(Stream::kHangupArmed)) arm_hangup(stream);
  }
}

void UringLoop::received(Stream& stream, Completion completion) {
  const bool over = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (over) stream.unset(Stream::kReadArmed);
  if (completion.result > 0) {
    const unsigned buffer = completion.flags >> IORING_CQE_BUFFER_SHIFT;
    deliver(stream, ring_->received(buffer, static_cast<std::size_t>(completion.result)));
    if ((completion.flags & kBufferHasMore) == 0) buffer_is_free(buffer);
  } else if (completion.result == 0) {
    delivered_end(stream);
  } else if (completion.result == -ENOBUFS) {
    // No buffer was free: the bytes wait in the socket until some are.
    starved_.push_back(&stream);
  } else if (completion.result != -ECANCELED) {
    lost(stream, "recv", -completion.result);
  }
  if (!over) return;
  if (completion.result != -ENOBUFS && !stream.has(Stream::kClosed) && !stream.has(Stream::kReadPaused) &&
      !stream.has(Stream::kEnded) && !stream.has(Stream::kReadArmed)) {
    arm_receive(stream);
  }
  operation_over(stream);
}

void UringLoop::buffer_is_free(unsigned index) {
  ring_->bytes_received += ring_->buffers_filled[index];
  if (ring_->small_shown > 0) --ring_->small_shown;
  const bool is_needed = ring_->shown() <= ring_->shown_min || now() - starved_at_ < kBuffersNeededFor;
  return is_needed ? ring_->give_back(index) : ring_->retire(index);
}

void UringLoop::rearm_starved() {
  if (starved_.empty()) return;
  starved_at_ = now();
  ring_->make_room();
  for (Stream* stream : starved_) {
    if (!stream->has(Stream::kClosed)) update_reading(*stream);
  }
  starved_.clear();
}

// At the end of a turn. A send that does not wait is over once it is submitted, and completes only when it
// could not take everything (IOSQE_CQE_SKIP_SUCCESS): silence is success. MSG_WAITALL makes a part count as
// failure, which says how long the part is. Nothing wakes the loop after silence, so where somebody waits for
// the end of the send, it is told.
void UringLoop::flush(Stream& stream) {
  if (stream.has(Stream::kSendInFlight)) return;
  if (stream.outbox_ == nullptr || stream.outbox_->empty()) return drained(stream);
  Outbox& outbox = *stream.outbox_;
  std::array<iovec, kPartsMax> parts;
  const std::size_t count = outbox.gather(parts);
  outbox.in_flight = {};
  io_uring_sqe* entry = ring_->next();
  if (count == 1) {
    outbox.in_flight.bytes = parts[0].iov_len;
    io_uring_prep_send(entry, stream.fd_, parts[0].iov_base, parts[0].iov_len, kSendFlags);
  } else {
    Ring::Message& message = ring_->next_message();
    for (std::size_t i = 0; i < count; ++i) {
      message.parts[i] = parts[i];
      outbox.in_flight.bytes += parts[i].iov_len;
    }
    message.header = {};
    message.header.msg_iov = message.parts.data();
    message.header.msg_iovlen = count;
    io_uring_prep_sendmsg(entry, stream.fd_, &message.header, kSendFlags);
  }
  const bool awaited = stream.has(Stream::kTellFlushed) || stream.has(Stream::kFinishWriting) ||
                       stream.has(Stream::kWaitingWritable) || outbox.in_flight.bytes < outbox.bytes();
  if (!awaited) entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  begin(*entry, stream, tag_of(stream, Operation::send));
  stream.set(Stream::kSendInFlight);
  sending_.push_back(&stream);
}

// Before anything else that came is handed out: whoever is called may send again.
void UringLoop::settle_sends() {
  if (sending_.empty()) return;
  unsigned head = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_->uring, head, entry) {
    if (operation_of(entry->user_data) == Operation::send) {
      stream_of(entry->user_data).outbox_->in_flight.result = entry->res;
    }
  }
  // Entries not taken yet, or completions that found no room: silence says nothing then.
  if (!ring_->is_settled()) return;
  settling_.swap(sending_);
  for_each_fetched(settling_, [this](Stream& stream) {
    const Outbox::InFlight& in_flight = stream.outbox_->in_flight;
    const auto bytes = static_cast<std::ptrdiff_t>(in_flight.bytes);
    const std::ptrdiff_t result = in_flight.result.value_or(bytes);
    stream.unset(Stream::kSendInFlight);
    if (result == bytes) {
      sent(stream);
    } else {
      send_cut_short(stream, static_cast<int>(result));
    }
    operation_over(stream);
  });
  settling_.clear();
}

void UringLoop::sent(Stream& stream) {
  stream.outbox_->consume(stream.outbox_->in_flight.bytes);
  if (stream.has(Stream::kClosed)) return;
  if (stream.outbox_->empty()) return drained(stream);
  // flush_all() leaves those that wait for their peer to us.
  if (stream.has(Stream::kWaitingWritable)) return flush(stream);
  mark_dirty(stream);
}

// The kernel took `result` bytes, or none for the reason -`result`.
void UringLoop::send_cut_short(Stream& stream, int result) {
  if (result >= 0 || result == -EAGAIN) {
    if (result > 0) stream.outbox_->consume(static_cast<std::size_t>(result));
    stream.outbox_->settle();
    if (stream.has(Stream::kClosed)) return;
    stream.set(Stream::kWaitingWritable);
    arm_writable(stream);
  } else if (result != -ECANCELED) {
    lost(stream, "send", -result);
  }
}

void UringLoop::arm_writable(Stream& stream) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_poll_add(entry, stream.fd_, POLLOUT);
  begin(*entry, stream, tag_of(stream, Operation::writable));
}

void UringLoop::writable(Stream& stream) {
  if (!stream.has(Stream::kClosed)) flush(stream);
  operation_over(stream);
}

namespace {

int pending_error(int fd) {
  int code = 0;
  socklen_t size = sizeof(code);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
}

}  // namespace

void UringLoop::hung_up(Stream& stream, Completion completion) {
  if (!stream.has(Stream::kClosed) && completion.result > 0 &&
      (completion.result & (POLLERR | POLLHUP)) != 0) {
    const int code = pending_error(stream.fd_);
    lost(stream, "poll", code == 0 ? ECONNRESET : code);
  }
  if ((completion.flags & IORING_CQE_F_MORE) != 0) return;
  stream.unset(Stream::kHangupArmed);
  operation_over(stream);
}

void UringLoop::connect_over(Stream& stream, Completion completion) {
  if (!stream.has(Stream::kClosed) && completion.result != -ECANCELED) {
    if (const int code = pending_error(stream.fd_); code != 0) {
      lost(stream, "connect", code);
    } else {
      connected(stream);
      update_reading(stream);
      if (!stream.has(Stream::kClosed)) mark_dirty(stream);
    }
  }
  operation_over(stream);
}

// The table has the descriptor open, too, which would keep the FIN from being sent.
void UringLoop::let_go(Stream& stream) {
  if (stream.has(Stream::kRegistered)) ring_->unregister_descriptor(stream.fd_);
  finish_close(stream);
}

void UringLoop::operation_over(Stream& stream) {
  FANFARE_CHECK(stream.operations_ > 0);
  --stream.operations_;
  if (stream.operations_ == 0 && stream.has(Stream::kClosing)) let_go(stream);
}

void UringLoop::begin_close(Stream& stream) {
  if (stream.operations_ == 0) return let_go(stream);
  stream.set(Stream::kClosing);
  std::erase(starved_, &stream);
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_cancel_fd(entry, stream.fd_, IORING_ASYNC_CANCEL_ALL);
  io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::ignored));
}

ListenerId UringLoop::listen(Descriptor descriptor, AcceptHandler handler) {
  const int flags = ::fcntl(descriptor.get(), F_GETFL);
  ::fcntl(descriptor.get(), F_SETFL, flags & ~O_NONBLOCK);
  const auto id = static_cast<ListenerId>(listeners_.size());
  arm_accept(listeners_.emplace_back(std::move(descriptor), std::move(handler)));
  return id;
}

void UringLoop::arm_accept(Listener& listener) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_multishot_accept(entry, listener.descriptor.get(), nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(entry, tag_of(listener, Operation::accept));
}

void UringLoop::stop_listening(ListenerId id) {
  Listener& listener = listeners_[id];
  if (std::exchange(listener.stopped, true)) return;
  // No shutdown(): the socket may be shared with other loops or processes, who go on with it.
  cancel(tag_of(listener, Operation::accept));
  // The kernel gives up the accept in here, and with the descriptor the socket goes at once, not with the
  // next turn: there may be none.
  io_uring_submit_and_get_events(&ring_->uring);
  ring_->messages_used = 0;
  listener.descriptor = Descriptor();
}

void UringLoop::accepted(Listener& listener, Completion completion) {
  const bool over = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (completion.result >= 0) {
    Descriptor connected(completion.result);
    listener.pause.end();
    if (!listener.stopped) listener.handler(std::move(connected));
  }
  if (!over) return;
  if (listener.stopped) return;
  if (listener.pause.begins("accept", -completion.result)) {
    call_after(AcceptPause::kRest, [this, &listener] {
      if (!listener.stopped) arm_accept(listener);
    });
    return;
  }
  arm_accept(listener);
}

}  // namespace fanfare::net
