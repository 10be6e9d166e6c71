#pragma once
// liburing maps and unmaps rings by bare system calls, which ThreadSanitizer does not see: to it, a ring at
// the address of one that is gone is still the old memory, and the thread that had it would race with the new
// one. These two tell it. In other builds they are nothing.

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
inline char rings_are_mapped = 0;
inline void note_ring_mapped() {
  __tsan_acquire(&rings_are_mapped);
}
inline void note_ring_unmapping() {
  __tsan_release(&rings_are_mapped);
}
#else
inline void note_ring_mapped() {}
inline void note_ring_unmapping() {}
#endif

}  // namespace fanfare::net
