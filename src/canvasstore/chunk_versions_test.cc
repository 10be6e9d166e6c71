#include "canvasstore/chunk_versions.h"

#include <gtest/gtest.h>

namespace fanfare::canvasstore {
namespace {

TEST(ChunkVersions, DependOnTheNewestVersionsAlone) {
  ChunkVersions one;
  one.set(5, 1);
  one.set(5, 2);
  one.set(6, 9);
  ChunkVersions other;
  other.set(6, 9);
  other.set(5, 2);
  EXPECT_EQ(one.text(3), other.text(3));
  EXPECT_TRUE(one.agrees_with(other.text(3), 3));

  other.set(5, 1);
  EXPECT_FALSE(one.agrees_with(other.text(3), 3)) << "an older version";
  other.set(5, 2);
  other.set(7, 1);
  EXPECT_FALSE(one.agrees_with(other.text(3), 3)) << "one chunk more";
  ChunkVersions exchanged;
  exchanged.set(5, 9);
  exchanged.set(6, 2);
  EXPECT_FALSE(one.agrees_with(exchanged.text(3), 3));
}

TEST(ChunkVersions, ANumberOfAnotherTickSaysNothing) {
  ChunkVersions versions;
  versions.set(1, 1);
  EXPECT_EQ(ChunkVersions().text(0), "0 0");
  EXPECT_TRUE(versions.agrees_with("", 3)) << "a file of an older program";
  EXPECT_TRUE(versions.agrees_with("31 7", 3)) << "which has then written on";
  EXPECT_TRUE(versions.agrees_with("2 7", 3));
  EXPECT_FALSE(versions.agrees_with("3 7", 3));
}

}  // namespace
}  // namespace fanfare::canvasstore
