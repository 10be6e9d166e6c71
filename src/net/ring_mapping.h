#pragma once
// liburing maps and unmaps rings by bare system calls, which ThreadSanitizer does not see: to it, a ring at
// the address of one that is gone is still the old memory, and the thread that had it would race with the new
// one. These two tell it. In other builds they do nothing. Any thread.

namespace fanfare::net {

void note_ring_mapped();
void note_ring_unmapping();

}  // namespace fanfare::net
