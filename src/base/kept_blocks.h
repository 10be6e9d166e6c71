#pragma once
// Memory of large messages that is used again. malloc returns the end of its heap to the system when enough of it is free, and the
// system clears the pages again for the next message: with messages of 64 KiB to 1 MiB that is a good part of the time that they cost.
//
// A thread keeps blocks only if it calls release_unused_blocks() regularly, as loops do; on other threads these are malloc and free.
// Any thread may give back a block of any other one. Under AddressSanitizer a kept block is poisoned.

#include <cstddef>

namespace fanfare {

// Smaller ones are left to malloc.
inline constexpr std::size_t kKeptFromBytes = std::size_t{32} << 10;
// Of one thread.
inline constexpr std::size_t kKeptBlocksBytesMax = std::size_t{16} << 20;

// At least `bytes` bytes, at most twice that from kept ones: a small message must not hold a large block. Throws std::bad_alloc.
void* take_block(std::size_t bytes);
// What take_block() returned. `bytes`: at most as many as were asked for. Never fails.
void give_back_block(void* block, std::size_t bytes) noexcept;
// Frees the blocks that were not used since the last call of this thread. Returns the number of bytes that are still kept.
std::size_t release_unused_blocks();

}  // namespace fanfare
