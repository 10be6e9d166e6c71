#pragma once
// Annotations for ThreadSanitizer, which does not see that liburing maps and unmaps rings by bare system
// calls. It would take a ring at a reused address for the old memory, and report a race with the old ring's
// thread. These two functions inform it. In other builds they do nothing. Any thread.

namespace fanfare::net {

void note_ring_mapped();
void note_ring_unmapping();

}  // namespace fanfare::net
