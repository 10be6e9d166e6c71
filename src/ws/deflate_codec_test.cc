#include "ws/deflate_codec.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "ws/deflate_for_tests.h"
#include "ws/encode.h"

namespace fanfare::ws {
namespace {

using namespace deflate_tests;

class DeflateCodecTest : public ::testing::Test {
 protected:
  DeflatePool pool_{kEager};
  DeflateCodec server_{kTakeover, Role::server, pool_};
  DeflateCodec client_{kTakeover, Role::client, pool_};
};

TEST_F(DeflateCodecTest, InflatesOneBlock_RFC7692_7_2_3_1) {
  EXPECT_EQ(inflated(server_, bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00")), "Hello");
}

TEST_F(DeflateCodecTest, InflatesAFragmentedMessage_RFC7692_7_2_3_1) {
  Buffer message;
  EXPECT_TRUE(server_.decompress(bytes_of("\xf2\x48\xcd"), false, kNoLimit, message).has_value());
  EXPECT_TRUE(server_.decompress({}, false, kNoLimit, message).has_value());
  EXPECT_TRUE(server_.decompress(bytes_of("\xc9\xc9\x07\x00"), true, kNoLimit, message).has_value());
  EXPECT_EQ(as_text(message), "Hello");
}

TEST_F(DeflateCodecTest, InflatesWithTheWindowOfTheMessageBefore_RFC7692_7_2_3_2) {
  EXPECT_EQ(inflated(server_, bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00")), "Hello");
  EXPECT_EQ(inflated(server_, bytes_of("\xf2\x00\x11\x00\x00")), "Hello");
}

TEST_F(DeflateCodecTest, ForgetsTheWindowWithoutTakeover_RFC7692_7_2_3_2) {
  DeflateCodec server(kNoTakeover, Role::server, pool_);
  EXPECT_EQ(inflated(server, bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00")), "Hello");
  EXPECT_EQ(inflated(server, bytes_of("\xf2\x00\x11\x00\x00")), Inflated(std::unexpect, CodecError::corrupt));
}

TEST_F(DeflateCodecTest, InflatesAStoredBlock_RFC7692_7_2_3_3) {
  EXPECT_EQ(inflated(server_, bytes_of("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")), "Hello");
}

TEST_F(DeflateCodecTest, InflatesAFinalBlock_RFC7692_7_2_3_4) {
  EXPECT_EQ(inflated(server_, bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00\x00")), "Hello");
  EXPECT_EQ(inflated(server_, bytes_of("\xf2\x00\x11\x00\x00")), "Hello")
      << "the window survives a final block";
}

TEST_F(DeflateCodecTest, InflatesBlocksBehindAFinalOne_RFC7692_7_2_3_4) {
  // "Hello" in a final block, then a reference to it, then "Hello" stored.
  EXPECT_EQ(inflated(server_, bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00"
                                       "\xf2\x00\x11\x00\x00"
                                       "\x00\x00\xff\xff"
                                       "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")),
            "HelloHelloHello");
  EXPECT_EQ(inflated(server_, bytes_of("\x01")), "") << "a final stored block, completed by the tail";
}

// Some senders omit the zero byte after a final block; npm's ws and others accept that.
TEST_F(DeflateCodecTest, InflatesAFinalBlockWithoutItsPaddingByte_RFC7692_7_2_1) {
  for (const bool takeover : {true, false}) {
    DeflateCodec server(takeover ? kTakeover : kNoTakeover, Role::server, pool_);
    EXPECT_EQ(inflated(server, bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00")), "Hello");
    EXPECT_EQ(inflated(server, bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00")), "Hello") << "another one";
    EXPECT_EQ(inflated(server, bytes_of("\x03\x00")), "") << "an empty one";
    EXPECT_EQ(inflated(server, bytes_of("\x01\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f")), "Hello")
        << "a stored one";
    // After other blocks, which takes the zlib path.
    EXPECT_EQ(inflated(server, bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00"
                                        "\xf3\x00\x11\x00")),
              "HelloHello");
    if (takeover)
      EXPECT_EQ(inflated(server, bytes_of("\xf2\x00\x11\x00\x00")), "Hello") << "the window stays";
  }
  EXPECT_EQ(inflated(server_, bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00"), 5), "Hello");
  EXPECT_EQ(inflated(server_, bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00"), 4),
            Inflated(std::unexpect, CodecError::message_too_big));
}

TEST_F(DeflateCodecTest, InflatesTwoBlocks_RFC7692_7_2_3_5) {
  EXPECT_EQ(inflated(server_, bytes_of("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")), "Hello");
}

TEST_F(DeflateCodecTest, InflatesTheEmptyMessage_RFC7692_7_2_3_6) {
  EXPECT_EQ(inflated(server_, bytes_of("\x00")), "");
  EXPECT_EQ(inflated(server_, bytes_of("\x02\x00")), "") << "an empty block with fixed codes before it";
}

TEST_F(DeflateCodecTest, RefusesWhatIsNoDeflateStream_RFC7692_7_2_2) {
  DeflateCodec server(kNoTakeover, Role::server, pool_);
  const std::string_view bad[] = {
      {},                                                    // nothing: the tail alone is half a stored block
      {"\x07", 1},                                           // block type 3
      {"\xff\xff\xff", 3},                                   //
      {"\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00", 11},  // LEN and NLEN differ
      {"\x00\x06\x00\xf9\xff\x48", 6},                       // a stored block that ends early
      {"\xf2\x48\xcd\xc9\xc9", 5},                           // fixed codes that end early
      {"\xf3\x48\xcd\xc9\xc9\x07", 6},                       // a final block that ends early
      {"\xf3\x48\xcd\xc9\xc9\x07\x00\xff\xff", 9},           // a final block followed by garbage
      {"\x05\xe0\x81", 3},                                   // half the header of a block with dynamic codes
  };
  for (const std::string_view payload : bad) {
    EXPECT_EQ(inflated(server, as_bytes(payload)), Inflated(std::unexpect, CodecError::corrupt))
        << payload.size();
  }
}

TEST_F(DeflateCodecTest, EndsInAFinalBlockWithoutTakeover_RFC7692_7_2_1) {
  DeflateCodec server(kNoTakeover, Role::server, pool_);
  const Buffer payload =
      owned(server.compress(Opcode::text, bytes_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
  ASSERT_GE(payload.size(), 2U);
  EXPECT_LT(payload.size(), 20U);
  EXPECT_EQ(payload.front() & 1, 1) << "BFINAL";
  EXPECT_EQ(payload.back(), 0) << "the header of the empty stored block";
}

TEST(DeflatePool, AShortMessageWithoutTakeoverIsSmallerThanZlibMakesIt) {
  DeflatePool fast({.level = 1});
  DeflatePool thorough({.level = 6});
  SeededRandom random(1);
  std::size_t ours = 0;
  std::size_t zlibs = 0;
  for (int i = 0; i < 64; ++i) {
    const std::string text = json(random, 1024);
    ours += fast.compress(bytes_of(text), kWindowBitsMax, Ending::final_block).value().size();
    zlibs += thorough.compress(bytes_of(text), kWindowBitsMax, Ending::sync_flush).value().size();
  }
  EXPECT_LT(ours, zlibs);
}

TEST(DeflatePool, LongerThanTwoKiBTheLevelIsAsSet) {
  DeflatePool fast({.level = 1});
  DeflatePool thorough({.level = 6});
  SeededRandom random(1);
  const std::string text = json(random, 2049);
  const auto size_of = [&](DeflatePool& pool, std::size_t size) {
    return pool
        .compress(bytes_of(std::string_view(text).substr(0, size)), kWindowBitsMax, Ending::final_block)
        .value()
        .size();
  };
  EXPECT_EQ(size_of(fast, 2048), size_of(thorough, 2048));
  EXPECT_GT(size_of(fast, 2049), size_of(thorough, 2049));
}

TEST_F(DeflateCodecTest, TakesTheTailOff_RFC7692_7_2_1) {
  const Buffer payload = owned(server_.compress(Opcode::text, bytes_of("Hello, Hello, Hello, Hello, Hello")));
  ASSERT_FALSE(payload.empty());
  EXPECT_EQ(payload.front() & 1, 0) << "no final block where the window is kept";
  const Buffer end(payload.end() - 4, payload.end());
  EXPECT_NE(end, (Buffer{0x00, 0x00, 0xff, 0xff}));
  EXPECT_EQ(payload.back(), 0);
}

TEST_F(DeflateCodecTest, UsesTheWindowOfTheMessageBefore_RFC7692_7_1_1_1) {
  SeededRandom random(1);
  const std::string text = json(random, 1024);
  const std::size_t first = server_.compress(Opcode::text, bytes_of(text))->size();
  const std::size_t second = server_.compress(Opcode::text, bytes_of(text))->size();
  EXPECT_LT(second * 5, first);

  DeflateCodec forgetful(kNoTakeover, Role::server, pool_);
  const Buffer once = owned(forgetful.compress(Opcode::text, bytes_of(text)));
  EXPECT_EQ(owned(forgetful.compress(Opcode::text, bytes_of(text))), once);
}

// Every possible agreement, in both directions, with messages of all kinds and sizes, some in pieces.
TEST(DeflateCodecRoundTrip, AllParameterSets_RFC7692_7_2) {
  SeededRandom random(42);
  DeflatePool server_pool(kEager);
  DeflatePool client_pool(kEager);
  for (int mask = 0; mask < 4; ++mask) {
    for (int bits = 9; bits <= 15; ++bits) {
      const DeflateParameters agreed{.server_no_context_takeover = (mask & 1) != 0,
                                     .client_no_context_takeover = (mask & 2) != 0,
                                     .server_max_window_bits = bits,
                                     .client_max_window_bits = 23 - bits};
      DeflateCodec server(agreed, Role::server, server_pool);
      DeflateCodec client(agreed, Role::client, client_pool);
      for (int count = 0; count < 40; ++count) {
        DeflateCodec& sender = (count & 1) != 0 ? server : client;
        DeflateCodec& receiver = (count & 1) != 0 ? client : server;
        const std::size_t size = random.below(std::uint64_t{1} << random.below(17));
        const std::string text = random.below(5) == 0 ? noise(random, size) : json(random, size);
        const Buffer payload = owned(sender.compress(Opcode::binary, bytes_of(text)));
        if (payload.empty()) continue;
        EXPECT_LT(payload.size(), text.size());
        Buffer message;
        const std::size_t cut = random.below(payload.size() + 1);
        ASSERT_TRUE(receiver.decompress(Bytes(payload).first(cut), false, text.size(), message).has_value());
        ASSERT_TRUE(receiver.decompress(Bytes(payload).subspan(cut), true, text.size(), message).has_value());
        ASSERT_EQ(as_text(message), text) << "mask " << mask << " bits " << bits << " message " << count;
      }
    }
  }
}

TEST_F(DeflateCodecTest, CompressesForTheSmallestWindowOnlyWhatFits_RFC7692_7_1_2_2) {
  const DeflateParameters smallest{.client_max_window_bits = 8};
  DeflateCodec client(smallest, Role::client, pool_);
  DeflateCodec server(smallest, Role::server, pool_);
  const std::string fits(256, 'a');
  const Buffer payload = owned(client.compress(Opcode::text, bytes_of(fits)));
  ASSERT_FALSE(payload.empty());
  EXPECT_EQ(inflated(server, payload), fits);
  EXPECT_FALSE(client.compress(Opcode::text, bytes_of(std::string(257, 'a'))).has_value());
  EXPECT_EQ(client.context_bytes(), 0U);
}

TEST_F(DeflateCodecTest, SendsNothingThatDoesNotShrink) {
  SeededRandom random(3);
  DeflateCodec forgetful(kNoTakeover, Role::server, pool_);
  for (const std::size_t size : {1U, 2U, 3U, 10U, 100U, 1000U, 100000U}) {
    const std::string text = noise(random, size);
    EXPECT_FALSE(server_.compress(Opcode::binary, bytes_of(text)).has_value()) << size;
    EXPECT_FALSE(forgetful.compress(Opcode::binary, bytes_of(text)).has_value()) << size;
  }
  EXPECT_FALSE(server_.compress(Opcode::text, {}).has_value());
  EXPECT_FALSE(forgetful.compress(Opcode::text, {}).has_value());
}

TEST_F(DeflateCodecTest, NeverRefersToAMessageThatWasSentPlain_RFC7692_7_2_1) {
  SeededRandom random(4);
  const std::string text = json(random, 500);
  const std::string plain = noise(random, 700);
  EXPECT_EQ(inflated(client_, owned(server_.compress(Opcode::text, bytes_of(text)))), text);
  ASSERT_FALSE(server_.compress(Opcode::binary, bytes_of(plain)).has_value());
  // If the compressor had kept the noise, this would be only a reference to it.
  const std::string again = plain + text;
  const Buffer payload = owned(server_.compress(Opcode::text, bytes_of(again)));
  ASSERT_FALSE(payload.empty());
  EXPECT_GT(payload.size(), plain.size());
  EXPECT_EQ(inflated(client_, payload), again);
}

TEST_F(DeflateCodecTest, LeavesShortMessagesAlone) {
  DeflatePool pool({.threshold_bytes = 100});
  DeflateCodec takeover(kTakeover, Role::server, pool);
  DeflateCodec forgetful(kNoTakeover, Role::server, pool);
  EXPECT_FALSE(takeover.compress(Opcode::text, bytes_of(std::string(99, 'a'))).has_value());
  EXPECT_FALSE(forgetful.compress(Opcode::text, bytes_of(std::string(99, 'a'))).has_value());
  EXPECT_EQ(takeover.context_bytes(), 0U) << "no context before it is needed";
  EXPECT_TRUE(takeover.compress(Opcode::text, bytes_of(std::string(100, 'a'))).has_value());
  EXPECT_TRUE(forgetful.compress(Opcode::text, bytes_of(std::string(100, 'a'))).has_value());
}

TEST_F(DeflateCodecTest, LeavesLongMessagesAlone) {
  DeflatePool pool({.ceiling_bytes = 100'000});
  DeflateCodec takeover(kTakeover, Role::server, pool);
  DeflateCodec forgetful(kNoTakeover, Role::server, pool);
  const auto shared = [&](std::size_t size) {
    const std::string text(size, 'a');
    const SharedBytes frame = encode_message(Opcode::text, bytes_of(text));
    return forgetful.shared_form(frame).size() < frame.size();
  };
  const std::string longest(100'000, 'a');
  EXPECT_TRUE(takeover.compress(Opcode::text, bytes_of(longest)).has_value());
  EXPECT_TRUE(forgetful.compress(Opcode::text, bytes_of(longest)).has_value());
  EXPECT_TRUE(shared(100'000));
  EXPECT_FALSE(takeover.compress(Opcode::text, bytes_of(longest + "a")).has_value());
  EXPECT_FALSE(forgetful.compress(Opcode::text, bytes_of(longest + "a")).has_value());
  EXPECT_FALSE(shared(100'001));
}

TEST_F(DeflateCodecTest, StopsAtTheMessageLimit_RFC7692_8) {
  const std::string text(100000, 'a');
  const Buffer payload = owned(pool_.compress(bytes_of(text), 15, Ending::sync_flush));
  ASSERT_FALSE(payload.empty());
  for (const DeflateParameters& agreed : {kTakeover, kNoTakeover}) {
    DeflateCodec at(agreed, Role::server, pool_);
    EXPECT_EQ(inflated(at, payload, 100000), text);
    DeflateCodec past(agreed, Role::server, pool_);
    EXPECT_EQ(inflated(past, payload, 99999), Inflated(std::unexpect, CodecError::message_too_big));
    DeflateCodec zero(agreed, Role::server, pool_);
    EXPECT_EQ(inflated(zero, payload, 0), Inflated(std::unexpect, CodecError::message_too_big));
  }
}

TEST_F(DeflateCodecTest, CountsWhatIsAlreadyInTheMessage_RFC7692_8) {
  Buffer message(10, 'x');
  EXPECT_TRUE(server_.decompress(bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00"), true, 15, message).has_value());
  EXPECT_EQ(as_text(message), "xxxxxxxxxxHello");
  Buffer full(11, 'x');
  EXPECT_EQ(server_.decompress(bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00"), true, 15, full).error(),
            CodecError::message_too_big);
}

TEST_F(DeflateCodecTest, StopsAtTheLimitBehindAFinalBlockToo_RFC7692_8) {
  const auto payload = bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00");
  EXPECT_EQ(inflated(server_, payload, 10), "HelloHello");
  EXPECT_EQ(inflated(server_, payload, 9), Inflated(std::unexpect, CodecError::message_too_big));
}

TEST_F(DeflateCodecTest, StopsAtTheRatio_RFC7692_8) {
  const std::string text(100000, 'a');
  const Buffer payload = owned(pool_.compress(bytes_of(text), 15, Ending::sync_flush));
  const std::size_t ratio = text.size() / payload.size();  // rounded down: slightly beyond the limit

  DeflatePool strict({.ratio_max = ratio, .ratio_floor_bytes = 1000});
  DeflateCodec past(kNoTakeover, Role::server, strict);
  EXPECT_EQ(inflated(past, payload), Inflated(std::unexpect, CodecError::ratio_exceeded));

  DeflatePool enough({.ratio_max = ratio + 1, .ratio_floor_bytes = 1000});
  DeflateCodec at(kNoTakeover, Role::server, enough);
  EXPECT_EQ(inflated(at, payload), text);

  DeflatePool floor({.ratio_max = 1, .ratio_floor_bytes = 100000});
  DeflateCodec under(kNoTakeover, Role::server, floor);
  EXPECT_EQ(inflated(under, payload), text);
}

TEST_F(DeflateCodecTest, BoundsTheCompressedBytesToo_RFC7692_8) {
  // A message of empty stored blocks inflates to nothing, without end.
  Buffer blocks;
  for (int count = 0; count < 1000; ++count) blocks.insert(blocks.end(), {0x00, 0x00, 0x00, 0xff, 0xff});
  Buffer message;
  EXPECT_TRUE(server_.decompress(Bytes(blocks).first(1224), false, 100, message).has_value());
  EXPECT_EQ(server_.decompress(Bytes(blocks).first(1), false, 100, message).error(),
            CodecError::message_too_big);
}

TEST_F(DeflateCodecTest, ABombCostsTheLimitAndNoMore_RFC7692_8) {
  const std::string megabytes(std::size_t{64} << 20, '\0');
  DeflatePool maker({.level = 9});
  const Buffer bomb = owned(maker.compress(bytes_of(megabytes), 15, Ending::sync_flush));
  ASSERT_LT(bomb.size(), std::size_t{100} << 10);
  Buffer message;
  EXPECT_EQ(server_.decompress(bomb, true, std::size_t{1} << 20, message).error(),
            CodecError::message_too_big);
  EXPECT_EQ(message.capacity(), 0U);
  EXPECT_LE(pool_.scratch_bytes(), std::size_t{256} << 10) << "what it took is given back";
  pool_.trim();
  EXPECT_EQ(pool_.scratch_bytes(), 0U);
}

TEST_F(DeflateCodecTest, ManyFinalBlocksCostTimeInProportion_RFC7692_7_2_3_4) {
  // 400,000 empty final blocks after a full window: none may copy the window again.
  SeededRandom random(5);
  DeflateCodec server({.client_max_window_bits = 15}, Role::server, pool_);
  const std::string window = json(random, 32768);
  ASSERT_EQ(inflated(server, owned(pool_.compress(bytes_of(window), 15, Ending::sync_flush))), window);
  Buffer blocks;
  for (int count = 0; count < 400000; ++count) blocks.insert(blocks.end(), {0x03, 0x00});
  blocks.push_back(0x00);
  EXPECT_EQ(inflated(server, blocks), "");
}

TEST_F(DeflateCodecTest, KeepsOnlyAsMuchWindowAsCameIn) {
  SeededRandom random(6);
  DeflateCodec server({.client_max_window_bits = 12}, Role::server, pool_);
  EXPECT_EQ(server.context_bytes(), 0U);
  ASSERT_TRUE(inflated(server, bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00")).has_value());
  EXPECT_EQ(server.context_bytes(), 1024U);
  const std::string text = json(random, 20000);
  ASSERT_TRUE(inflated(server, owned(pool_.compress(bytes_of(text), 15, Ending::sync_flush))).has_value());
  EXPECT_EQ(server.context_bytes(), 4096U);
  EXPECT_EQ(pool_.budget().bytes(), 4096U);
}

}  // namespace
}  // namespace fanfare::ws
