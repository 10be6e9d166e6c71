#include "bench_wire.h"

#include <gtest/gtest.h>

#include <string>

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

TEST(EchoWire, FramesAreMaskedAndTheAnswerIsNot) {
  const EchoWire wire = make_echo_wire(5, 3, false);
  EXPECT_EQ(wire.block, 3U);
  ASSERT_EQ(wire.request_size, 11U);
  ASSERT_EQ(wire.requests.size(), 33U);
  EXPECT_EQ(wire.answer, bytes_of(kAnswer));
  for (std::size_t frame = 0; frame < 3; ++frame) {
    const std::uint8_t* at = wire.requests.data() + frame * 11;
    EXPECT_EQ(at[0], 0x81);
    EXPECT_EQ(at[1], 0x85);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(at[6 + i] ^ at[2 + i % 4], 'a' + static_cast<int>(i));
  }
}

TEST(EchoWire, RawComesBackAsItIs) {
  const EchoWire wire = make_echo_wire(300, 1, true);
  EXPECT_EQ(wire.answer, wire.requests);
  EXPECT_EQ(wire.request_size, 308U);
}

TEST(EchoWire, AHugeMessageStillMakesAFrame) {
  EXPECT_EQ(make_echo_wire(1 << 20, 1000, false).block, 1U);
}

TEST(EchoReader, CountsAnswersInAnySplit) {
  const EchoWire wire = make_echo_wire(5, 3, false);
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
  const EchoWire wire = make_echo_wire(5, 3, false);
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

TEST(EchoReader, ACloseEndsIt) {
  EchoReader reader;
  std::vector<std::uint8_t> pongs;
  reader.read(as_bytes("\x88\x02\x03\xE8"), make_echo_wire(5, 1, false), pongs);
  EXPECT_EQ(reader.end(), EchoReader::End::closed);
}

TEST(EchoReader, AnyOtherByteIsWrong) {
  const EchoWire wire = make_echo_wire(5, 1, false);
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
