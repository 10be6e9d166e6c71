#include "net/descriptor_table.h"

#include <liburing.h>
#include <sys/resource.h>

#include <algorithm>

namespace fanfare::net {
namespace {

constexpr rlim_t kSizeMax = 65'536;
// Part of the kernel's interface, but newer than the distribution's liburing.
constexpr std::uint32_t kFeatureOf614 = 1U << 16U;  // IORING_FEAT_RW_ATTR

}  // namespace

// Before 6.14, a descriptor removed from the table stays open until every earlier operation has ended,
// including those of other connections. A connection could then not be closed while another one listens.
void DescriptorTable::attach(io_uring& ring, std::uint32_t features) {
  rlimit limit{};
  if ((features & kFeatureOf614) == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto size = static_cast<unsigned>(std::min(limit.rlim_cur, kSizeMax));
  if (io_uring_register_files_sparse(&ring, size) != 0) return;
  ring_ = &ring;
  size_ = static_cast<int>(size);
}

bool DescriptorTable::add(int descriptor) {
  return descriptor < size_ &&
         io_uring_register_files_update(ring_, static_cast<unsigned>(descriptor), &descriptor, 1) == 1;
}

void DescriptorTable::remove(int descriptor) {
  constexpr int kNone = -1;
  io_uring_register_files_update(ring_, static_cast<unsigned>(descriptor), &kNone, 1);
}

}  // namespace fanfare::net
