#include "base/kept_blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "base/growing_bytes.h"
#include "base/shared_bytes.h"

namespace fanfare {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// A thread of its own keeps nothing at first.
template <typename Test>
void on_new_thread(Test&& test) {
  std::thread(std::forward<Test>(test)).join();
}

SharedBytes bytes_of(std::size_t size) {
  return SharedBytes::filled(size, [](MutableBytes room) { std::memset(room.data(), 7, room.size()); });
}

TEST(KeptBlocks, TheNextLargeMessageHasTheSameMemory) {
  on_new_thread([] {
    EXPECT_EQ(release_unused_blocks(), 0U);
    const std::uint8_t* const first = bytes_of(kMiB).view().data();
    EXPECT_EQ(bytes_of(kMiB).view().data(), first);
    EXPECT_EQ(bytes_of(kMiB * 3 / 4).view().data(), first);
    EXPECT_GE(release_unused_blocks(), kMiB);
  });
}

TEST(KeptBlocks, TheLastOneThatWasKeptIsTakenFirst) {
  on_new_thread([] {
    release_unused_blocks();
    std::vector<SharedBytes> all;
    std::vector<const std::uint8_t*> kept;
    for (int i = 0; i < 3; ++i) all.push_back(bytes_of(kMiB));
    for (SharedBytes& one : all) {
      kept.push_back(one.view().data());
      one = {};
    }
    for (SharedBytes& one : all) {
      one = bytes_of(kMiB);
      EXPECT_EQ(one.view().data(), kept.back());
      kept.pop_back();
    }
  });
}

TEST(KeptBlocks, SoHasTheNextMessageThatComesPieceByPiece) {
  on_new_thread([] {
    release_unused_blocks();
    const std::vector<std::uint8_t> piece(kKeptFromBytes);
    const auto memory_of_one = [&piece] {
      GrowingBytes message;
      message.reserve(2 * kKeptFromBytes);
      message.append(piece);
      return message.bytes().data();
    };
    const std::uint8_t* const first = memory_of_one();
    EXPECT_EQ(memory_of_one(), first);
    EXPECT_GE(release_unused_blocks(), 2 * kKeptFromBytes);
  });
}

TEST(KeptBlocks, ASmallMessageDoesNotHoldALargeBlock) {
  on_new_thread([] {
    release_unused_blocks();
    const std::uint8_t* const first = bytes_of(kMiB).view().data();
    const SharedBytes small = bytes_of(kMiB / 4);
    EXPECT_NE(small.view().data(), first);
    EXPECT_GE(release_unused_blocks(), kMiB) << "the large one is still kept";
  });
}

TEST(KeptBlocks, SmallOnesAreNotKept) {
  on_new_thread([] {
    release_unused_blocks();
    bytes_of(kKeptFromBytes / 2);
    EXPECT_EQ(release_unused_blocks(), 0U);
  });
}

TEST(KeptBlocks, WhatIsNotUsedIsFreedAtTheSecondCall) {
  on_new_thread([] {
    release_unused_blocks();
    bytes_of(kMiB);
    EXPECT_GE(release_unused_blocks(), kMiB);
    bytes_of(kMiB);
    EXPECT_GE(release_unused_blocks(), kMiB) << "used since";
    EXPECT_EQ(release_unused_blocks(), 0U);
  });
}

TEST(KeptBlocks, NoMoreThanTheLimitIsKept) {
  on_new_thread([] {
    release_unused_blocks();
    {
      std::vector<SharedBytes> many;
      for (std::size_t i = 0; i < 2 * kKeptBlocksBytesMax / kMiB; ++i) many.push_back(bytes_of(kMiB));
    }
    const std::size_t kept = release_unused_blocks();
    EXPECT_LE(kept, kKeptBlocksBytesMax);
    EXPECT_GT(kept, kKeptBlocksBytesMax - 2 * kMiB);
  });
}

TEST(KeptBlocks, AThreadThatNeverReleasesKeepsNothing) {
  on_new_thread([] {
    bytes_of(kMiB);
    EXPECT_EQ(release_unused_blocks(), 0U);
  });
}

TEST(KeptBlocks, ABlockMayEndOnAnotherThreadAndAfterItsOwn) {
  SharedBytes later;
  on_new_thread([&later] {
    release_unused_blocks();
    later = bytes_of(kMiB);
  });
  on_new_thread([&later] {
    release_unused_blocks();
    later = {};
    EXPECT_GE(release_unused_blocks(), kMiB) << "kept where it ended";
  });
}

}  // namespace
}  // namespace fanfare
