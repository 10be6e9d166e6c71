#include "ws/base64.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace fanfare::ws {
namespace {

TEST(Base64, EncodesTheVectorsOfTheStandard_RFC4648_10) {
  EXPECT_EQ(base64_encode(as_bytes("")), "");
  EXPECT_EQ(base64_encode(as_bytes("f")), "Zg==");
  EXPECT_EQ(base64_encode(as_bytes("fo")), "Zm8=");
  EXPECT_EQ(base64_encode(as_bytes("foo")), "Zm9v");
  EXPECT_EQ(base64_encode(as_bytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(base64_encode(as_bytes("the sample nonce")), "dGhlIHNhbXBsZSBub25jZQ==");
}

TEST(Base64, DecodesWhatItEncodes) {
  SeededRandom random(7);
  for (std::size_t size = 0; size < 100; ++size) {
    std::vector<std::uint8_t> bytes(size);
    random.fill(bytes);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes) << size;
  }
}

TEST(Base64, RefusesWhatIsNotBase64) {
  for (const char* text : {"A", "AA", "AAA", "A===", "====", "AA=A", "=AAA", "AAAA=", "AA\n=", "AA-_",
                           "Zm9v Zm8=", "Zg==Zg=="}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  }
}

TEST(Base64, IgnoresSpareBits_RFC4648_3_5) {
  EXPECT_EQ(base64_decode("Zh=="), base64_decode("Zg=="));
}

}  // namespace
}  // namespace fanfare::ws
