#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"
#include "devchain/block.h"
#include "devchain/keccak.h"
#include "devchain/rlp.h"
#include "devchain/trie.h"

namespace fanfare::devchain {
namespace {

Blob encoded(std::string_view text) {
  Blob out;
  rlp::append_bytes(out, as_bytes(text));
  return out;
}

Blob encoded(Wei number) {
  Blob out;
  rlp::append_number(out, number);
  return out;
}

TEST(Types, QuantitiesHaveNoLeadingZeros) {
  EXPECT_EQ(quantity(0), "0x0");
  EXPECT_EQ(quantity(1024), "0x400");
  EXPECT_EQ(quantity(kWeiMax), "0xffffffffffffffffffffffffffffffff");
  EXPECT_EQ(decimal(kEther * 10'000), "10000000000000000000000");
  EXPECT_EQ(parse_quantity("0x400"), Wei{1024});
  EXPECT_EQ(parse_quantity("0x0"), Wei{0});
  EXPECT_EQ(parse_quantity("0x" + std::string(64, 'f')), kWeiMax);
  for (const char* bad : {"", "0x", "0x00", "0x0400", "400", "0xg", "-0x1", " 0x1"}) {
    EXPECT_FALSE(parse_quantity(bad)) << bad;
  }
}

TEST(Types, HexTakesPairsOfDigitsOnly) {
  EXPECT_EQ(parse_hex("0x"), Blob{});
  EXPECT_EQ(parse_hex("0xAbcd"), (Blob{0xab, 0xcd}));
  for (const char* bad : {"", "0", "abcd", "0xabc", "0xzz"}) EXPECT_FALSE(parse_hex(bad)) << bad;
}

TEST(Keccak, KnownDigests) {
  EXPECT_EQ(hex(keccak({})), "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(hex(keccak(as_bytes("Transfer(address,address,uint256)"))),
            "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

TEST(Rlp, KnownEncodings) {
  EXPECT_EQ(hex(encoded("")), "0x80");
  EXPECT_EQ(hex(encoded("dog")), "0x83646f67");
  EXPECT_EQ(hex(encoded(Wei{0})), "0x80");
  EXPECT_EQ(hex(encoded(Wei{15})), "0x0f");
  EXPECT_EQ(hex(encoded(Wei{1024})), "0x820400");
  EXPECT_EQ(hex(rlp::list({})), "0xc0");
  EXPECT_EQ(hex(rlp::list(Blob{0x83, 'c', 'a', 't', 0x83, 'd', 'o', 'g'})), "0xc88363617483646f67");
  const std::string text(56, 'a');
  EXPECT_EQ(hex(encoded(text)), "0xb838" + hex(as_bytes(text)).substr(2));
  EXPECT_EQ(hex(encoded(std::string(1024, 'a'))).substr(0, 8), "0xb90400");
}

TEST(Rlp, DecodesOneItemAfterAnother) {
  const Blob bytes = {0xc8, 0x83, 'c', 'a', 't', 0x83, 'd', 'o', 'g', 0x07};
  Bytes rest = bytes;
  const auto list = rlp::take(rest);
  ASSERT_TRUE(list && list->is_list);
  const auto items = rlp::items(list->payload, 2);
  ASSERT_TRUE(items);
  EXPECT_EQ(as_text((*items)[1].payload), "dog");
  EXPECT_FALSE(rlp::items(list->payload, 1));
  const auto seven = rlp::take(rest);
  ASSERT_TRUE(seven);
  EXPECT_EQ(rlp::number(*seven), Wei{7});
  EXPECT_TRUE(rest.empty());
}

TEST(Rlp, RefusesWhatIsCutShortOrNotTheShortestForm) {
  const std::vector<Blob> bad = {
      {},                                                      // nothing
      {0x83, 'd', 'o'},                                        // a byte too short
      {0x81, 0x05},                                            // 5 must encode itself
      {0xb8, 0x02, 'a', 'b'},                                  // a long form for a short string
      {0xb9, 0x00, 0x40},                                      // a leading zero in the length
      {0xc2, 0x01},                                            // a list that is a byte too short
      {0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},  // more bytes than can exist
  };
  for (const Blob& bytes : bad) {
    Bytes rest = bytes;
    EXPECT_FALSE(rlp::take(rest)) << hex(bytes);
    EXPECT_EQ(rest.size(), bytes.size());
  }
  const Blob zero_led = {0x82, 0x00, 0x01};
  Bytes rest = zero_led;
  EXPECT_FALSE(rlp::number(*rlp::take(rest)));
}

void put(Trie& trie, std::string_view key, std::string_view value) {
  trie.put(as_bytes(key), as_bytes(value));
}

TEST(Trie, KnownRoots) {
  EXPECT_EQ(hex(Trie().root()), "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
  Trie dogs;
  put(dogs, "doe", "reindeer");
  put(dogs, "dog", "puppy");
  put(dogs, "dogglesworth", "cat");
  EXPECT_EQ(hex(dogs.root()), "0x8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3");
  Trie horses;
  put(horses, "do", "verb");
  put(horses, "horse", "stallion");
  put(horses, "doge", "coin");
  put(horses, "dog", "puppy");
  EXPECT_EQ(hex(horses.root()), "0x5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84");
  Trie one;
  put(one, "A", std::string(50, 'a'));
  EXPECT_EQ(hex(one.root()), "0xd23786fb4a010da3ce639d66d5e904a11dbc02746d1ce25029e53290cabf28ab");
}

TEST(Trie, TheRootFollowsTheContentNotTheWayThere) {
  SeededRandom random(3);
  for (int round = 0; round < 50; ++round) {
    std::map<std::string, std::string> content;
    Trie wandering;
    for (int step = 0; step < 60; ++step) {
      // Short keys over two letters: many prefixes of each other, so nodes split and join often.
      std::string key;
      for (auto size = 1 + random.below(4); size > 0; --size) key += static_cast<char>('a' + random.below(2));
      if (random.below(3) == 0) {
        content.erase(key);
        put(wandering, key, "");
      } else {
        content[key] = std::to_string(random.next_u64());
        put(wandering, key, content[key]);
      }
    }
    Trie straight;
    for (const auto& [key, value] : content) put(straight, key, value);
    ASSERT_EQ(wandering.root(), straight.root()) << "round " << round;
    for (const auto& [key, value] : content) {
      ASSERT_TRUE(wandering.get(as_bytes(key)));
      EXPECT_EQ(as_text(*wandering.get(as_bytes(key))), value);
    }
    EXPECT_FALSE(wandering.get(as_bytes("aaaaaaaa")));
  }
}

TEST(Trie, ACopyKeepsWhatItSaw) {
  Trie before;
  put(before, "dog", "puppy");
  Trie after = before;
  put(after, "dog", "hound");
  put(after, "doge", "coin");
  EXPECT_EQ(as_text(*before.get(as_bytes("dog"))), "puppy");
  EXPECT_FALSE(before.get(as_bytes("doge")));
  put(after, "doge", "");
  put(after, "dog", "puppy");
  EXPECT_EQ(after.root(), before.root());
}

TEST(Header, HashOfTheMainnetGenesisBlock) {
  Header header;
  header.uncles_hash = kNoUncles;
  header.state_root = *parse_hash("0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544");
  header.transactions_root = kEmptyRoot;
  header.receipts_root = kEmptyRoot;
  header.difficulty = 17'179'869'184;
  header.gas_limit = 5000;
  header.extra_data = *parse_hex("0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa");
  header.nonce[7] = 0x42;
  EXPECT_EQ(hex(header.hash()), "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
}

}  // namespace
}  // namespace fanfare::devchain
