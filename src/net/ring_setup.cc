#include "net/ring_setup.h"

#include <liburing.h>

#include <algorithm>
#include <array>
#include <vector>

#include "net/send_messages.h"
#include "net/socket.h"

namespace fanfare::net {
namespace {

// Submissions collected before the kernel is called: each stream's receive and its send. If a turn has more,
// they are submitted in between. Each submission gets several completion entries; completions without space
// wait in the kernel.
constexpr std::size_t kSubmissionsMin = 64;
constexpr std::size_t kSubmissionsMax = SendMessages::kCountMax;
constexpr unsigned kCompletionsForEach = 4;

}  // namespace

std::expected<std::uint32_t, OsError> open_ring(io_uring& ring, std::size_t streams_max) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
  const auto submissions = static_cast<unsigned>(
      std::clamp(2 * streams_max, kSubmissionsMin, kSubmissionsMax));  // the kernel rounds up
  params.cq_entries = kCompletionsForEach * submissions;
  if (const int failed = io_uring_queue_init_params(submissions, &ring, &params); failed < 0) {
    return std::unexpected(OsError{.call = "io_uring_setup", .code = -failed, .detail = {}});
  }
  // A registered ring need not be looked up and referenced for every call. The number belongs to this thread.
  // Another thread that destroys the loop cannot unregister its own ring by mistake: SINGLE_ISSUER rejects
  // that.
  io_uring_register_ring_fd(&ring);
  return params.features;
}

std::optional<OsError> check_short_sends(io_uring& ring) {
  OsError unsupported{.call = "io_uring_enter", .code = EOPNOTSUPP, .detail = "short sends"};
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return last_error("socketpair");
  const Descriptor near(ends[0]);
  const Descriptor far(ends[1]);
  const std::vector<std::uint8_t> much(std::size_t{4} << 20U);
  io_uring_sqe* entry = io_uring_get_sqe(&ring);
  io_uring_prep_send(entry, near.get(), much.data(), much.size(), kRingSendFlags);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_submit_and_get_events(&ring);
  io_uring_cqe* completion = nullptr;
  if (io_uring_peek_cqe(&ring, &completion) != 0) return unsupported;
  const auto taken = completion->res;
  io_uring_cqe_seen(&ring, completion);
  if (taken > 0 && static_cast<std::size_t>(taken) < much.size()) return std::nullopt;
  return unsupported;
}

}  // namespace fanfare::net
