#include "net/ring_mapping.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FANFARE_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) && !defined(FANFARE_THREAD_SANITIZER)
#define FANFARE_THREAD_SANITIZER 1
#endif

#ifdef FANFARE_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace fanfare::net {

#ifdef FANFARE_THREAD_SANITIZER
namespace {

// All rings share one marker, because it is unknown which of them had an address before.
char rings_are_mapped = 0;

}  // namespace

void note_ring_mapped() {
  __tsan_acquire(&rings_are_mapped);
}
void note_ring_unmapping() {
  __tsan_release(&rings_are_mapped);
}
#else
void note_ring_mapped() {}
void note_ring_unmapping() {}
#endif

}  // namespace fanfare::net
