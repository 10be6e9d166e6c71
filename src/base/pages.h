#pragma once
// Whole pages from the system and back to it: for what a busy moment needs much of and a quiet one nothing.
// malloc would keep them, between blocks that live on.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fanfare {

// Zeroed; `bytes` is a power of two, at least a page, and the address a multiple of it. std::bad_alloc: the
// system has none.
std::uint8_t* take_pages(std::size_t bytes);
void return_pages(void* pages, std::size_t bytes);
// Their memory goes back to the system, their addresses stay: touched again, they are zero. Only whole pages
// of the range.
void forget_pages(std::uint8_t* begin, std::size_t bytes);

// Of lists that are short, but for moments.
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
  // NOLINTNEXTLINE(bugprone-sizeof-expression): of a pointer, where T is one.
  static std::size_t bytes_of(std::size_t count) { return count * sizeof(T); }
};
template <typename T>
using PagesVector = std::vector<T, PagesAllocator<T>>;

// Gives back the room of an empty list that had far more than `needed` at once.
template <typename T>
void release_unneeded(PagesVector<T>& list, std::size_t needed) {
  constexpr std::size_t kWorthwhile = 512;
  if (list.empty() && list.capacity() > std::max(kWorthwhile, 4 * needed)) PagesVector<T>().swap(list);
}

}  // namespace fanfare
