#pragma once
// Opens the ring of an io_uring loop, and checks that the kernel has the features that the loop needs. The
// thread that opens a ring must be the one that uses it.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "net/os_error.h"

struct io_uring;

namespace fanfare::net {

// The loop's sends do not wait. MSG_WAITALL makes a partial one count as a failure, which reports its length.
inline constexpr int kRingSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;

// Its queues are sized for so many streams. Returns the kernel's features (IORING_FEAT_*). The error names the
// missing one.
std::expected<std::uint32_t, OsError> open_ring(io_uring& ring, std::size_t streams_max);

// Whether a send that the peer accepts only in part reports that (IOSQE_CQE_SKIP_SUCCESS, kRingSendFlags).
// Empty: it does. Needs an open ring with buffers that is otherwise unused.
std::optional<OsError> check_short_sends(io_uring& ring);

}  // namespace fanfare::net
