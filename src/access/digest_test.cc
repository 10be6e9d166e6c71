#include "access/digest.h"

#include <gtest/gtest.h>

namespace fanfare::access {
namespace {

TEST(Digest, KnownAnswers) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231 §4.3, test case 2.
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256("", "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Digest, ComparesWhole) {
  Digest one = sha256("a");
  Digest other = one;
  EXPECT_TRUE(same(one, other));
  other.back() ^= 1U;
  EXPECT_FALSE(same(one, other));
  EXPECT_TRUE(same_secret("secret", "secret"));
  EXPECT_FALSE(same_secret("secret", "secret "));
  EXPECT_FALSE(same_secret("", "a"));
}

TEST(Digest, HexIsExactly64Digits) {
  const std::string hex = to_hex(sha256("abc"));
  EXPECT_EQ(digest_from_hex(hex), sha256("abc"));
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(digest_from_hex(upper), sha256("abc"));
  EXPECT_FALSE(digest_from_hex(hex.substr(1)));
  EXPECT_FALSE(digest_from_hex(hex + "00"));
  EXPECT_FALSE(digest_from_hex("g" + hex.substr(1)));
}

TEST(Base64, DecodesWhatTheRfcEncodes_RFC4648_10) {
  EXPECT_EQ(base64_decoded(""), "");
  EXPECT_EQ(base64_decoded("Zg=="), "f");
  EXPECT_EQ(base64_decoded("Zm8="), "fo");
  EXPECT_EQ(base64_decoded("Zm9v"), "foo");
  EXPECT_EQ(base64_decoded("Zm9vYmE="), "fooba");
  EXPECT_EQ(base64url_decoded("-_8"), "\xfb\xff");
  EXPECT_EQ(base64_decoded("+/8="), "\xfb\xff");
}

TEST(Base64, HasOneTextPerValue) {
  for (const std::string_view bad :
       {"Zg", "Zg=", "Zg===", "Zm9v=", "Z===", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "-_8="}) {
    EXPECT_FALSE(base64_decoded(bad)) << bad;
  }
  for (const std::string_view bad : {"Zg==", "Zh", "Z", "+/8", "Zm9v.", "Zm9\n"}) {
    EXPECT_FALSE(base64url_decoded(bad)) << bad;
  }
}

}  // namespace
}  // namespace fanfare::access
