#include "ws/mask.h"

#include <gtest/gtest.h>

#include <random>

#include "ws/wire_for_tests.h"

namespace fanfare::ws {
namespace {

using testing::Wire;
using testing::wire;

TEST(Mask, TheExampleOfTheStandard_RFC6455_5_3) {
  Wire payload = wire("7f9f4d5158");
  EXPECT_TRUE(unmask(payload, load_mask_key(wire("37fa213d").data())));
  EXPECT_EQ(payload, wire("'Hello'"));
}

TEST(Mask, KeyMovesOnWithThePayload_RFC6455_5_3) {
  const MaskKey key = load_mask_key(wire("01020304").data());
  EXPECT_EQ(advance_mask_key(key, 0), key);
  EXPECT_EQ(advance_mask_key(key, 4), key);
  EXPECT_EQ(advance_mask_key(key, 1), load_mask_key(wire("02030401").data()));
  EXPECT_EQ(advance_mask_key(key, 7), load_mask_key(wire("04010203").data()));
}

// Every size around the widths of all kernels, at every alignment, compared with the plain version.
TEST(Mask, FastAndPlainAgree_RFC6455_5_3) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 400; ++size) {
    for (std::size_t offset : {0, 1, 7}) {
      Wire fast(size + offset);
      for (auto& byte : fast) byte = static_cast<std::uint8_t>(random());
      Wire plain = fast;
      const auto key = static_cast<MaskKey>(random());
      const bool ascii = unmask(MutableBytes(fast).subspan(offset), key);
      EXPECT_EQ(unmask_plain(MutableBytes(plain).subspan(offset), key), ascii);
      ASSERT_EQ(fast, plain) << size << " bytes at " << offset;
    }
  }
}

TEST(Mask, SaysWhetherAllIsAscii) {
  const MaskKey key = load_mask_key(wire("80FF0180").data());
  for (std::size_t size = 1; size < 200; ++size) {
    Wire payload(size, 'a');
    unmask_plain(payload, key);
    EXPECT_TRUE(unmask(payload, key)) << size;
    for (std::size_t at = 0; at < size; ++at) {
      Wire other(size, 'a');
      other[at] = 0xC3;
      unmask_plain(other, key);
      EXPECT_FALSE(unmask(other, key)) << at << " of " << size;
    }
  }
}

}  // namespace
}  // namespace fanfare::ws
