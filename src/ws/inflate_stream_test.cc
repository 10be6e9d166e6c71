// Inflating piece by piece: the same as inflating the whole, however it is cut, and the same errors.

#include "ws/inflate_stream.h"

#include <gtest/gtest.h>

#include <expected>
#include <string>
#include <vector>

#include "base/random.h"
#include "ws/deflate_for_tests.h"

namespace fanfare::ws {
namespace {

using deflate_tests::Buffer;
using deflate_tests::bytes_of;
using deflate_tests::Inflated;
using deflate_tests::kEager;
using deflate_tests::kNoTakeover;
using deflate_tests::kTakeover;

constexpr InflateLimits kNoLimits{
    .message_bytes_max = deflate_tests::kNoLimit, .ratio_max = 2000, .ratio_floor_bytes = 1 << 20};

// In pieces of this size.
Inflated in_pieces(Bytes payload, std::size_t piece, const InflateLimits& limits = kNoLimits,
                   Bytes history = {}) {
  InflateStream stream(history);
  Buffer message;
  do {
    const Bytes now = payload.first(std::min(piece, payload.size()));
    payload = payload.subspan(now.size());
    if (const auto done = stream.feed(now, payload.empty(), limits, message); !done) {
      return std::unexpected(done.error());
    }
  } while (!payload.empty());
  return std::string(as_text(message));
}

// RFC7692§7.2.3's examples, and what is wrong with others: cut after every byte, and whole.
TEST(InflateStream, ReadsTheExamplesOfTheRfcHoweverTheyAreCut_RFC7692_7_2_3) {
  const std::vector<std::pair<Bytes, std::string>> examples = {
      {bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello"},                          // §7.2.3.1
      {bytes_of("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello"},          // §7.2.3.3
      {bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello"},                      // §7.2.3.4: a final block
      {bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00"), "Hello"},                          // without its padding
      {bytes_of("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello"},  // §7.2.3.5: two blocks
      {bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00"),
       "HelloHello"},          // behind a final one
      {bytes_of("\x00"), ""},  // §7.2.3.6
  };
  for (const auto& [payload, text] : examples) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{5}, payload.size()}) {
      EXPECT_EQ(in_pieces(payload, piece), Inflated(text)) << text << " in pieces of " << piece;
    }
  }
}

TEST(InflateStream, ReadsTheWindowOfEarlierMessages_RFC7692_7_1_1) {
  const Bytes reference = bytes_of("\xf2\x00\x11\x00\x00");  // §7.2.3.2: five bytes, five back
  for (const std::size_t piece : {std::size_t{1}, std::size_t{5}}) {
    EXPECT_EQ(in_pieces(reference, piece, kNoLimits, bytes_of("Hello")), Inflated("Hello"));
    EXPECT_EQ(in_pieces(reference, piece), Inflated(std::unexpected(CodecError::corrupt)));
  }
}

TEST(InflateStream, KnowsWhatIsNoWholeMessage) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}}) {
    EXPECT_EQ(in_pieces(bytes_of("\xff\xff"), piece), Inflated(std::unexpected(CodecError::corrupt)));
    EXPECT_EQ(in_pieces(bytes_of("\xf2\x48\xcd"), piece), Inflated(std::unexpected(CodecError::corrupt)));
  }
}

TEST(InflateStream, HoldsItsLimitsOverAllPieces_RFC7692_8) {
  DeflatePool pool(kEager);
  DeflateCodec codec(kNoTakeover, Role::client, pool);
  const std::string zeros(100'000, '\0');
  const Buffer bomb = deflate_tests::owned(codec.compress(Opcode::binary, as_bytes(zeros)));
  ASSERT_LT(bomb.size(), 1000U);
  const auto limited = [&](std::size_t message, std::size_t ratio, std::size_t floor) {
    return in_pieces(bomb, 7, {.message_bytes_max = message, .ratio_max = ratio, .ratio_floor_bytes = floor});
  };
  EXPECT_EQ(limited(100'000, 2000, 1000), Inflated(zeros));
  EXPECT_EQ(limited(99'999, 2000, 1000), Inflated(std::unexpected(CodecError::message_too_big)));
  EXPECT_EQ(limited(1'000'000, 2, 100'000), Inflated(zeros));
  EXPECT_EQ(limited(1'000'000, 2, 1000), Inflated(std::unexpected(CodecError::ratio_exceeded)));
}

// From a seed: what two codecs with and without history make, in random pieces, as decompress() makes of it.
TEST(InflateStream, PiecesAndWholesAreTheSame) {
  SeededRandom random(7);
  for (const bool takeover : {true, false}) {
    DeflatePool pool(kEager);
    DeflateCodec sender(takeover ? kTakeover : kNoTakeover, Role::client, pool);
    DeflateCodec receiver(takeover ? kTakeover : kNoTakeover, Role::server, pool);
    for (int round = 0; round < 60; ++round) {
      const std::size_t size = random.below(round % 10 == 0 ? 200'000 : 3000) + 20;
      const std::string text =
          round % 7 == 3 ? deflate_tests::noise(random, size) : deflate_tests::json(random, size);
      const auto compressed = sender.compress(Opcode::binary, as_bytes(text));
      if (!compressed) continue;
      Bytes payload = *compressed;
      const Buffer kept(payload.begin(), payload.end());
      payload = kept;
      std::string message;
      do {
        const Bytes now = payload.first(std::min<std::size_t>(payload.size(), random.below(2048) + 1));
        payload = payload.subspan(now.size());
        Buffer piece;
        ASSERT_TRUE(receiver.decompress_piece(now, payload.empty(), deflate_tests::kNoLimit, piece));
        message.append(as_text(piece));
      } while (!payload.empty());
      ASSERT_EQ(message, text) << "round " << round;
    }
    EXPECT_LE(receiver.context_bytes(), std::size_t{1} << kWindowBitsMax);  // between messages: the window
  }
}

TEST(InflateStream, AMessageInPiecesCountsAgainstTheBudget) {
  DeflateOptions options = kEager;
  options.context_bytes_max = InflateStream::kBytes + 100;
  DeflatePool pool(options);
  const Bytes hello = bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00");
  Buffer piece;
  {
    DeflateCodec one(kNoTakeover, Role::server, pool);
    DeflateCodec other(kNoTakeover, Role::server, pool);
    ASSERT_TRUE(one.decompress_piece(hello.first(2), false, 100, piece));
    EXPECT_EQ(pool.budget().bytes(), InflateStream::kBytes);
    const auto refused = other.decompress_piece(hello.first(2), false, 100, piece);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), CodecError::out_of_contexts);
    ASSERT_TRUE(one.decompress_piece(hello.subspan(2), true, 100, piece));
    EXPECT_EQ(pool.budget().bytes(), 0U);
    EXPECT_EQ(as_text(piece), "Hello");
    // All of it at once needs no stream.
    ASSERT_TRUE(other.decompress_piece(hello, true, 100, piece));
    ASSERT_TRUE(one.decompress_piece(hello.first(2), false, 100, piece));
  }
  EXPECT_EQ(pool.budget().bytes(), 0U);  // a connection that ended in the middle
}

}  // namespace
}  // namespace fanfare::ws
