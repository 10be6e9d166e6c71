#pragma once
// Allocates whole pages from the system and returns them: for memory that is needed in bulk at peak times
// only. malloc would keep such memory, between blocks that are still in use.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fanfare {

// Where large messages begin in their first page. The system copies what is sent to pages of its own, behind a frame's header. To copy
// to a place that is a little farther in its page than the source is in its own is up to three times slower on many processors, which
// compare the ends of addresses, and take the next load for one of what was just stored.
inline constexpr std::size_t kOffsetInPage = 2048;

// Zeroed. `bytes` is a power of two and at least one page; the address is a multiple of it. Throws
// std::bad_alloc if the system has no memory.
std::uint8_t* take_pages(std::size_t bytes);
void return_pages(void* pages, std::size_t bytes);
// As take_pages(), but of any whole number of pages, and at any address. return_pages() returns them.
std::uint8_t* map_pages(std::size_t bytes);
// Changes the number of pages. They may move to another address, without being copied.
std::uint8_t* resize_pages(std::uint8_t* pages, std::size_t bytes, std::size_t new_bytes);
// Rounds up.
std::size_t whole_pages(std::size_t bytes);
// Returns the memory to the system but keeps the addresses, which read as zero when touched again. Affects
// only whole pages inside the range.
void forget_pages(std::uint8_t* begin, std::size_t bytes);

// For lists that are usually short, with occasional peaks.
template <typename T>
struct PagesAllocator {
  using value_type = T;
  static constexpr std::size_t kPagesFromBytes = 16 * 1024;

  PagesAllocator() = default;
  template <typename Other>
  explicit PagesAllocator(const PagesAllocator<Other>&) {}

  T* allocate(std::size_t count) {
    const std::size_t bytes = bytes_of(count);
    if (bytes < kPagesFromBytes) return std::allocator<T>().allocate(count);
    return reinterpret_cast<T*>(take_pages(std::bit_ceil(bytes)));
  }
  void deallocate(T* begin, std::size_t count) {
    const std::size_t bytes = bytes_of(count);
    if (bytes < kPagesFromBytes) return std::allocator<T>().deallocate(begin, count);
    return_pages(static_cast<void*>(begin), std::bit_ceil(bytes));
  }
  bool operator==(const PagesAllocator&) const = default;

 private:
  // NOLINTNEXTLINE(bugprone-sizeof-expression): T may be a pointer.
  static std::size_t bytes_of(std::size_t count) { return count * sizeof(T); }
};
template <typename T>
using PagesVector = std::vector<T, PagesAllocator<T>>;

// Frees the memory of an empty list whose capacity is far above `needed`.
template <typename T>
void release_unneeded(PagesVector<T>& list, std::size_t needed) {
  constexpr std::size_t kWorthwhile = 512;
  if (list.empty() && list.capacity() > std::max(kWorthwhile, 4 * needed)) PagesVector<T>().swap(list);
}

}  // namespace fanfare
