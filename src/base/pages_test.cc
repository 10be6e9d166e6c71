// Pages, and the types built on them.

#include "base/pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <new>
#include <set>
#include <sstream>
#include <string>

#include "base/block_pool.h"

namespace fanfare {
namespace {

constexpr std::size_t kBytes = 64 * 1024;

TEST(Pages, LieAtAMultipleOfTheirSizeAndAreZero) {
  std::uint8_t* const pages = take_pages(kBytes);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages) % kBytes, 0U);
  EXPECT_EQ(pages[0], 0);
  EXPECT_EQ(pages[kBytes - 1], 0);
  return_pages(pages, kBytes);
}

TEST(Pages, ThatTheSystemDoesNotHaveAreAnExceptionAsWithNew) {
  EXPECT_THROW(take_pages(std::size_t{1} << 60U), std::bad_alloc);
}

// The line VmFlags in /proc/self/smaps of the mapping that has this address. "hg": MADV_HUGEPAGE was set.
std::string flags_of(const std::uint8_t* pages) {
  std::ifstream maps("/proc/self/smaps");
  const auto address = reinterpret_cast<std::uintptr_t>(pages);
  bool is_here = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream head(line);
    if (head >> std::hex >> begin >> dash >> end && dash == '-') is_here = begin <= address && address < end;
    if (is_here && line.starts_with("VmFlags:")) return line + " ";
  }
  return "";
}

TEST(Pages, ManyAtOnceMayBeLargeOnes) {
  constexpr std::size_t kLarge = std::size_t{8} << 20;
  std::uint8_t* const reference = map_pages(kLarge / 8);
  const bool has_large_pages = ::madvise(reference, kLarge / 8, MADV_HUGEPAGE) == 0;
  return_pages(reference, kLarge / 8);
  const auto is_hinted = [](const std::uint8_t* pages) { return flags_of(pages).contains(" hg "); };

  std::uint8_t* pages = map_pages(kLarge);
  EXPECT_EQ(is_hinted(pages), has_large_pages) << flags_of(pages);
  return_pages(pages, kLarge);
  pages = map_pages(kLarge / 8);
  EXPECT_FALSE(is_hinted(pages)) << flags_of(pages);
  pages = resize_pages(pages, kLarge / 8, kLarge);
  EXPECT_EQ(is_hinted(pages), has_large_pages) << flags_of(pages);
  return_pages(pages, kLarge);
}

TEST(Pages, ForgetOnlyWhatIsWholeInTheRange) {
  std::uint8_t* const pages = take_pages(kBytes);
  std::memset(pages, 'x', kBytes);
  forget_pages(pages + 1, kBytes - 2);
  EXPECT_EQ(pages[0], 'x');
  EXPECT_EQ(pages[kBytes / 2], 0);
  EXPECT_EQ(pages[kBytes - 1], 'x');
  forget_pages(pages + 1, 100);
  EXPECT_EQ(pages[1], 'x');
  return_pages(pages, kBytes);
}

TEST(Pages, AListKeepsItsContentsAsItGrowsAndGivesItsRoomBackWhenItIsEmpty) {
  PagesVector<std::size_t> list;
  for (std::size_t i = 0; i < 100'000; ++i) list.push_back(i);
  EXPECT_EQ(list.front(), 0U);
  EXPECT_EQ(list[99'999], 99'999U);
  release_unneeded(list, 0);
  EXPECT_EQ(list.size(), 100'000U);
  list.clear();
  release_unneeded(list, 100'000);  // needed recently
  EXPECT_GE(list.capacity(), 100'000U);
  release_unneeded(list, 10);
  EXPECT_EQ(list.capacity(), 0U);
}

struct Thing {
  std::uint64_t words[5];
};

TEST(BlockPool, SlotsDoNotOverlapAndComeAgain) {
  BlockPool pool(sizeof(Thing));
  std::set<Thing*> things;
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    auto* const thing = new (pool.take()) Thing{{i, i, i, i, i}};
    EXPECT_TRUE(things.insert(thing).second);
  }
  std::set<std::uint64_t> values;
  for (Thing* thing : things) {
    EXPECT_EQ(thing->words[0], thing->words[4]);
    values.insert(thing->words[0]);
  }
  EXPECT_EQ(values.size(), 5'000U);
  for (Thing* thing : things) BlockPool::give_back(thing);
}

TEST(BlockPool, KeepsFewEmptyBlocksAndNoneWhenAsked) {
  BlockPool pool(sizeof(Thing));
  std::vector<void*> slots;
  for (int i = 0; i < 20'000; ++i) slots.push_back(pool.take());
  const std::size_t most = pool.blocks();
  // Free every other slot: no block becomes empty, and later allocations reuse the free slots.
  for (std::size_t i = 0; i < slots.size(); i += 2) BlockPool::give_back(slots[i]);
  EXPECT_EQ(pool.blocks(), most);
  for (std::size_t i = 0; i < slots.size(); i += 2) slots[i] = pool.take();
  EXPECT_EQ(pool.blocks(), most);
  for (void* slot : slots) BlockPool::give_back(slot);
  EXPECT_LE(pool.blocks(), BlockPool::kEmptyBlocksMax);
  pool.release_empty();
  EXPECT_EQ(pool.blocks(), 0U);
}

TEST(BlockPool, KeepsAsManyEmptyBlocksAsItIsTold) {
  BlockPool pool(sizeof(Thing), SIZE_MAX);
  std::vector<void*> slots;
  for (int i = 0; i < 20'000; ++i) slots.push_back(pool.take());
  const std::size_t most = pool.blocks();
  for (void* slot : slots) BlockPool::give_back(slot);
  EXPECT_EQ(pool.blocks(), most);
  pool.release_empty();
  EXPECT_EQ(pool.blocks(), 0U);
}

}  // namespace
}  // namespace fanfare
