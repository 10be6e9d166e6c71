#include "bench/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ws/deflate_codec.h"

namespace fanfare::app {
namespace {

std::vector<std::uint8_t> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

constexpr std::string_view kAnswer =
    "\x81\x05"
    "abcde";
constexpr std::string_view kPing =
    "\x89\x02"
    "hi";

// The payload of a masked frame below 64 KiB.
std::string unmasked(Bytes frame) {
  const std::size_t key = frame[1] == 0xFE ? 4 : 2;
  std::string payload;
  for (std::size_t i = key + 4; i < frame.size(); ++i) {
    payload += static_cast<char>(frame[i] ^ frame[key + (i - key - 4) % 4]);
  }
  return payload;
}

TEST(EchoWire, FramesAreMaskedAndTheAnswerIsNot) {
  const EchoWire wire = EchoWire::plain(5, 3, false);
  const auto run = wire.run(1, 9);
  EXPECT_EQ(run.count, 3U);
  ASSERT_EQ(wire.frame_bytes_max(), 11U);
  ASSERT_EQ(run.bytes.size(), 33U);
  EXPECT_EQ(std::vector<std::uint8_t>(wire.answer().begin(), wire.answer().end()), bytes_of(kAnswer));
  for (std::size_t frame = 0; frame < 3; ++frame) {
    const Bytes at = run.bytes.subspan(frame * 11, 11);
    EXPECT_EQ(at[0], 0x81);
    EXPECT_EQ(at[1], 0x85);
    EXPECT_EQ(unmasked(at), "abcde");
  }
}

TEST(EchoWire, RawComesBackAsItIs) {
  const EchoWire wire = EchoWire::plain(300, 1, true);
  const Bytes request = wire.run(0, 1).bytes;
  EXPECT_TRUE(std::ranges::equal(wire.answer(), request));
  EXPECT_EQ(request.size(), 308U);
}

TEST(EchoWire, AHugeMessageStillMakesAFrame) {
  EXPECT_EQ(EchoWire::plain(1 << 20, 1000, false).run(0, 1000).count, 1U);
}

TEST(EchoWire, JsonHasExactlyTheSizeThatIsAskedFor) {
  for (std::size_t size = 0; size < 1200; ++size) EXPECT_EQ(json_of_size(size, 7).size(), size);
  EXPECT_NE(json_of_size(1024, 1), json_of_size(1024, 2));
  EXPECT_TRUE(json_of_size(1024, 1).starts_with(R"({"orders":[{"id":)"));
}

// A server inflates exactly the messages, over three cycles, with any negotiated parameters.
TEST(EchoWire, CompressedMessagesInflateInTheOrderOfTheirNumbers) {
  for (const bool forget : {false, true}) {
    for (const int bits : {9, 12, 15}) {
      const ws::DeflateParameters agreed{.server_no_context_takeover = forget,
                                         .client_no_context_takeover = forget,
                                         .server_max_window_bits = bits,
                                         .client_max_window_bits = bits};
      const EchoWire wire = EchoWire::compressed(300, agreed);
      ws::DeflatePool pool(ws::DeflateOptions{});
      ws::DeflateCodec server(agreed, ws::Role::server, pool);
      for (std::uint64_t number = 0; number < 200; ++number) {
        const auto run = wire.run(number, 1);
        ASSERT_EQ(run.count, 1U);
        ASSERT_EQ(run.bytes[0], 0xC1) << "a whole text, RSV1";
        const std::string smaller = unmasked(run.bytes);
        std::vector<std::uint8_t> message;
        ASSERT_TRUE(server.decompress(as_bytes(smaller), true, 1000, message)) << number;
        ASSERT_EQ(as_text(message), wire.message(number)) << number;
      }
    }
  }
}

TEST(EchoWire, RunsOfCompressedMessagesEndWithTheirCycle) {
  const EchoWire wire = EchoWire::compressed(300, {});
  EXPECT_EQ(wire.run(0, 1000).count, 64U);
  EXPECT_EQ(wire.run(60, 1000).count, 4U);
  EXPECT_EQ(wire.run(64, 2).count, 2U);
  EXPECT_EQ(wire.run(130, 1000).count, 62U);
}

TEST(EchoReader, CountsAnswersInAnySplit) {
  const EchoWire wire = EchoWire::plain(5, 3, false);
  std::string stream;
  for (int i = 0; i < 7; ++i) stream.append(kAnswer);
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    EchoReader reader;
    std::vector<std::uint8_t> pongs;
    std::uint64_t found = 0;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      found += reader.read(as_bytes(std::string_view(stream).substr(at, step)), wire, pongs);
    }
    EXPECT_EQ(found, 7U) << step;
    EXPECT_EQ(reader.end(), EchoReader::End::none);
  }
}

TEST(EchoReader, AnswersAPingBetweenAnswersInAnySplit) {
  const EchoWire wire = EchoWire::plain(5, 3, false);
  const std::string stream = std::string(kAnswer).append(kPing).append(kAnswer);
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    EchoReader reader;
    std::vector<std::uint8_t> pongs;
    std::uint64_t found = 0;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      found += reader.read(as_bytes(std::string_view(stream).substr(at, step)), wire, pongs);
    }
    EXPECT_EQ(found, 2U) << step;
    ASSERT_EQ(pongs.size(), 8U);
    EXPECT_EQ(pongs[0], 0x8A);
    EXPECT_EQ(pongs[1], 0x82);
    EXPECT_EQ(pongs[6] ^ pongs[2], 'h');
    EXPECT_EQ(pongs[7] ^ pongs[3], 'i');
  }
}

TEST(EchoReader, AWrongByteBehindManyAnswersIsFound) {
  const EchoWire wire = EchoWire::plain(5, 1000, false);
  std::string stream;
  for (int i = 0; i < 5000; ++i) stream.append(kAnswer);
  stream.back() = 'f';
  EchoReader reader;
  std::vector<std::uint8_t> pongs;
  EXPECT_EQ(reader.read(as_bytes(stream), wire, pongs), 4999U);
  EXPECT_EQ(reader.end(), EchoReader::End::wrong);
}

TEST(EchoReader, ACloseEndsIt) {
  EchoReader reader;
  std::vector<std::uint8_t> pongs;
  reader.read(as_bytes("\x88\x02\x03\xE8"), EchoWire::plain(5, 1, false), pongs);
  EXPECT_EQ(reader.end(), EchoReader::End::closed);
}

TEST(EchoReader, AnyOtherByteIsWrong) {
  const EchoWire wire = EchoWire::plain(5, 1, false);
  for (std::size_t i = 0; i < kAnswer.size(); ++i) {
    std::string stream(kAnswer);
    stream[i] = static_cast<char>(stream[i] ^ 0x40);
    EchoReader reader;
    std::vector<std::uint8_t> pongs;
    EXPECT_EQ(reader.read(as_bytes(stream), wire, pongs), 0U);
    EXPECT_EQ(reader.end(), EchoReader::End::wrong) << i;
  }
}

}  // namespace
}  // namespace fanfare::app
