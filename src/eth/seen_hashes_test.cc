#include "eth/seen_hashes.h"

#include <gtest/gtest.h>

namespace fanfare::eth {
namespace {

std::string hash_of(char digit) {
  return "0x" + std::string(64, digit);
}

TEST(SeenHashes, TakesHashesOnly) {
  SeenHashes seen(2);
  EXPECT_FALSE(seen.add("0x1"));
  EXPECT_FALSE(seen.add(hash_of('x')));
}

TEST(SeenHashes, TheOldestIsForgottenPastTheLimit) {
  SeenHashes seen(2);
  EXPECT_TRUE(seen.add(hash_of('1')));
  EXPECT_TRUE(seen.add(hash_of('2')));
  EXPECT_FALSE(seen.add(hash_of('1')));
  EXPECT_TRUE(seen.add(hash_of('3')));
  EXPECT_FALSE(seen.add(hash_of('2')));
  EXPECT_TRUE(seen.add(hash_of('1')));
  seen.clear();
  EXPECT_TRUE(seen.add(hash_of('3')));
}

}  // namespace
}  // namespace fanfare::eth
