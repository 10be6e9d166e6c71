#include "base/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <new>

#include "base/check.h"

namespace fanfare {
namespace {

std::uintptr_t round_up(std::uintptr_t value, std::size_t step) {
  return (value + step - 1) & ~(static_cast<std::uintptr_t>(step) - 1);
}

std::size_t page_bytes() {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

// From here on a large page (2 MiB, where the system has them) wastes little, and saves 512 faults of small ones.
constexpr std::size_t kLargePagesFromBytes = std::size_t{4} << 20;

// Only a hint: without large pages everything works.
void prefer_large_pages(void* pages, std::size_t bytes) {
  if (bytes >= kLargePagesFromBytes) ::madvise(pages, bytes, MADV_HUGEPAGE);
}

}  // namespace

std::uint8_t* take_pages(std::size_t bytes) {
  FANFARE_CHECK(std::has_single_bit(bytes) && bytes >= page_bytes());
  // Twice the size always contains an aligned range; the parts before and after it are unmapped.
  void* const mapped = ::mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::uint8_t*>(mapped);
  const std::size_t before =
      round_up(reinterpret_cast<std::uintptr_t>(begin), bytes) - reinterpret_cast<std::uintptr_t>(begin);
  if (before > 0) ::munmap(begin, before);
  ::munmap(begin + before + bytes, bytes - before);
  return begin + before;
}

std::uint8_t* map_pages(std::size_t bytes) {
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  prefer_large_pages(mapped, bytes);
  return static_cast<std::uint8_t*>(mapped);
}

std::uint8_t* resize_pages(std::uint8_t* pages, std::size_t bytes, std::size_t new_bytes) {
  void* const mapped = ::mremap(pages, bytes, new_bytes, MREMAP_MAYMOVE);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  prefer_large_pages(mapped, new_bytes);
  return static_cast<std::uint8_t*>(mapped);
}

std::size_t whole_pages(std::size_t bytes) {
  return round_up(bytes, page_bytes());
}

void return_pages(void* pages, std::size_t bytes) {
  FANFARE_CHECK(::munmap(pages, bytes) == 0);
}

void forget_pages(std::uint8_t* begin, std::size_t bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t from = round_up(first, page_bytes());
  const std::uintptr_t to = (first + bytes) & ~(static_cast<std::uintptr_t>(page_bytes()) - 1);
  if (from < to) ::madvise(begin + (from - first), to - from, MADV_DONTNEED);
}

}  // namespace fanfare
