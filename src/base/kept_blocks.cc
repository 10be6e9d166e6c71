#include "base/kept_blocks.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

// Not every C library's compiler has it. Its macros do nothing without AddressSanitizer.
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace fanfare {
namespace {

struct Kept {
  void* block = nullptr;
  std::size_t bytes = 0;
  bool is_used = true;  // since the last release_unused_blocks()
};

class KeptBlocks {
 public:
  KeptBlocks() { kept_.reserve(kKeptBlocksBytesMax / kKeptFromBytes); }
  KeptBlocks(const KeptBlocks&) = delete;
  KeptBlocks& operator=(const KeptBlocks&) = delete;
  ~KeptBlocks();

  // Null: none of this size is kept.
  void* take(std::size_t bytes) {
    // The last ones that were kept are in the caches.
    const auto found = std::find_if(kept_.rbegin(), kept_.rend(), [bytes](const Kept& kept) {
      return kept.bytes >= bytes && kept.bytes <= 2 * bytes;
    });
    if (found == kept_.rend()) return nullptr;
    void* const block = found->block;
    ASAN_UNPOISON_MEMORY_REGION(block, found->bytes);
    bytes_ -= found->bytes;
    *found = kept_.back();
    kept_.pop_back();
    return block;
  }
  // False: there is no room for it.
  bool keep(void* block) noexcept {
    const std::size_t bytes = ::malloc_usable_size(block);
    if (kept_.size() == kept_.capacity() || bytes_ + bytes > kKeptBlocksBytesMax) return false;
    ASAN_POISON_MEMORY_REGION(block, bytes);
    bytes_ += bytes;
    kept_.push_back({.block = block, .bytes = bytes});
    return true;
  }
  std::size_t release_unused() {
    std::erase_if(kept_, [this](const Kept& kept) {
      if (!kept.is_used) free(kept);
      return !kept.is_used;
    });
    for (Kept& kept : kept_) kept.is_used = false;
    return bytes_;
  }

 private:
  void free(const Kept& kept) {
    ASAN_UNPOISON_MEMORY_REGION(kept.block, kept.bytes);
    bytes_ -= kept.bytes;
    std::free(kept.block);
  }

  std::vector<Kept> kept_;
  std::size_t bytes_ = 0;  // of all of them
};

// Set while this thread keeps blocks. Blocks may be given back after the thread's KeptBlocks is gone.
thread_local KeptBlocks* of_this_thread = nullptr;

KeptBlocks::~KeptBlocks() {
  of_this_thread = nullptr;
  for (const Kept& kept : kept_) free(kept);
}

}  // namespace

void* take_block(std::size_t bytes) {
  if (bytes >= kKeptFromBytes && of_this_thread != nullptr) {
    if (void* const block = of_this_thread->take(bytes)) return block;
  }
  void* const block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void give_back_block(void* block, std::size_t bytes) noexcept {
  if (bytes < kKeptFromBytes || of_this_thread == nullptr || !of_this_thread->keep(block)) std::free(block);
}

std::size_t release_unused_blocks() {
  thread_local KeptBlocks blocks;
  of_this_thread = &blocks;
  return blocks.release_unused();
}

}  // namespace fanfare
