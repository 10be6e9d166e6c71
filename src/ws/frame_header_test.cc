#include "ws/frame_header.h"

#include <gtest/gtest.h>

#include <array>

#include "ws/wire_for_tests.h"

namespace fanfare::ws {
namespace {

using testing::hex;
using testing::joined;
using testing::Wire;
using testing::wire;

constexpr FrameExpectation kServer{.self = Role::server, .data_bytes_max = 1ULL << 40U};
constexpr FrameExpectation kClient{.self = Role::client, .data_bytes_max = 1ULL << 40U};

FrameExpectation with_compression(FrameExpectation expect) {
  expect.compression = true;
  expect.compressed_bytes_max = expect.data_bytes_max;
  return expect;
}

FrameExpectation in_message(FrameExpectation expect, std::uint32_t fragments_left = 10) {
  expect.in_message = true;
  expect.fragments_left = fragments_left;
  return expect;
}

// The rule must be reported at the last byte given, neither earlier nor only later.
void expect_broken(const char* bytes, const FrameExpectation& expect, Rule rule) {
  const Wire input = wire(bytes);
  for (std::size_t size = 0; size < input.size(); ++size) {
    const auto early = parse_header(Bytes(input).first(size), expect);
    EXPECT_TRUE(early.has_value() && !early->has_value()) << bytes << " at " << size;
  }
  for (const char* more : {"", "00", "FF*20"}) {
    const auto header = parse_header(joined(input, wire(more)), expect);
    ASSERT_FALSE(header.has_value()) << bytes;
    EXPECT_EQ(info(header.error()).name, info(rule).name) << bytes;
  }
}

FrameHeader expect_header(const char* bytes, const FrameExpectation& expect) {
  const Wire input = wire(bytes);
  for (std::size_t size = 0; size < input.size(); ++size) {
    const auto early = parse_header(Bytes(input).first(size), expect);
    EXPECT_TRUE(early.has_value() && !early->has_value()) << bytes << " at " << size;
  }
  const auto header = parse_header(joined(input, wire("FFFF")), expect);
  if (!header.has_value() || !header->has_value()) {
    ADD_FAILURE() << bytes << " is no header";
    return {};
  }
  EXPECT_EQ((*header)->header_size, input.size());
  return **header;
}

TEST(FrameHeader, ShortLength_RFC6455_5_2) {
  const FrameHeader header = expect_header("81 85 01020304", kServer);
  EXPECT_TRUE(header.fin);
  EXPECT_EQ(header.opcode, Opcode::text);
  EXPECT_EQ(header.payload_size, 5U);
  EXPECT_EQ(header.mask_key, load_mask_key(wire("01020304").data()));
  EXPECT_EQ(expect_header("02 7D", kClient).payload_size, 125U);
  EXPECT_FALSE(expect_header("02 7D", kClient).fin);
}

TEST(FrameHeader, SixteenBitLength_RFC6455_5_2) {
  EXPECT_EQ(expect_header("82 7E 007E", kClient).payload_size, 126U);
  EXPECT_EQ(expect_header("82 7E FFFF", kClient).payload_size, 65'535U);
  EXPECT_EQ(expect_header("82 FE 1234 00000000", kServer).payload_size, 0x1234U);
}

TEST(FrameHeader, SixtyFourBitLength_RFC6455_5_2) {
  EXPECT_EQ(expect_header("82 7F 0000000000010000", kClient).payload_size, 65'536U);
  EXPECT_EQ(expect_header("82 FF 000000FFFFFFFFFF 00000000", kServer).payload_size, 0xFF'FFFF'FFFFU);
  FrameExpectation any = kClient;
  any.data_bytes_max = UINT64_MAX;
  EXPECT_EQ(expect_header("82 7F 7FFFFFFFFFFFFFFF", any).payload_size, 0x7FFF'FFFF'FFFF'FFFFU);
}

TEST(FrameHeader, RejectsUnmaskedClientFrame_RFC6455_5_1) {
  expect_broken("81 05", kServer, Rule::frame_not_masked);
  expect_broken("82 7F", kServer, Rule::frame_not_masked);
  expect_broken("88 00", kServer, Rule::frame_not_masked);
}

TEST(FrameHeader, RejectsMaskedServerFrame_RFC6455_5_1) {
  expect_broken("81 85", kClient, Rule::frame_masked);
  expect_broken("89 80", kClient, Rule::frame_masked);
}

TEST(FrameHeader, RejectsReservedBits_RFC6455_5_2) {
  expect_broken("C1", kServer, Rule::reserved_bits_set);
  expect_broken("A1", kServer, Rule::reserved_bits_set);
  expect_broken("91", kServer, Rule::reserved_bits_set);
  expect_broken("A1", with_compression(kServer), Rule::reserved_bits_set);
  expect_broken("D2", with_compression(kClient), Rule::reserved_bits_set);
  expect_broken("C9", kClient, Rule::reserved_bits_set);
}

TEST(FrameHeader, RejectsReservedOpcodes_RFC6455_5_2) {
  for (const char* bytes : {"83", "84", "85", "86", "87", "8B", "8C", "8D", "8E", "8F", "03", "0B"}) {
    expect_broken(bytes, kServer, Rule::opcode_reserved);
    expect_broken(bytes, kClient, Rule::opcode_reserved);
  }
}

TEST(FrameHeader, RejectsLengthsThatAreNotMinimal_RFC6455_5_2) {
  expect_broken("82 7E 007D", kClient, Rule::length_not_minimal);
  expect_broken("82 7E 0000", kClient, Rule::length_not_minimal);
  // The sixth byte of eight decides.
  expect_broken("82 7F 000000000000", kClient, Rule::length_not_minimal);
  expect_broken("82 FF 000000000000", kServer, Rule::length_not_minimal);
}

TEST(FrameHeader, RejectsLengthsPast63Bits_RFC6455_5_2) {
  expect_broken("82 7F 80", kClient, Rule::length_over_63_bits);
  expect_broken("82 FF FF", kServer, Rule::length_over_63_bits);
}

TEST(FrameHeader, RejectsFragmentedControlFrames_RFC6455_5_5) {
  for (const char* bytes : {"08", "09", "0A"}) expect_broken(bytes, kServer, Rule::control_frame_fragmented);
}

TEST(FrameHeader, RejectsLongControlFrames_RFC6455_5_5) {
  EXPECT_EQ(expect_header("89 7D", kClient).payload_size, 125U);
  for (const char* bytes : {"88 FE", "89 FE", "8A FF"})
    expect_broken(bytes, kServer, Rule::control_frame_too_long);
  expect_broken("89 7E", kClient, Rule::control_frame_too_long);
}

TEST(FrameHeader, RejectsContinuationOfNothing_RFC6455_5_4) {
  expect_broken("80", kServer, Rule::continuation_without_message);
  expect_broken("00", kClient, Rule::continuation_without_message);
}

TEST(FrameHeader, RejectsInterleavedMessages_RFC6455_5_4) {
  expect_broken("81", in_message(kServer), Rule::message_interleaved);
  expect_broken("02", in_message(kClient), Rule::message_interleaved);
  EXPECT_EQ(expect_header("80 00", in_message(kClient)).opcode, Opcode::continuation);
  EXPECT_EQ(expect_header("89 00", in_message(kClient)).opcode, Opcode::ping);
}

TEST(FrameHeader, RejectsTooManyFragments_RFC6455_10_4) {
  EXPECT_EQ(expect_header("00 00", in_message(kClient, 1)).payload_size, 0U);
  expect_broken("00", in_message(kClient, 0), Rule::too_many_fragments);
  EXPECT_EQ(expect_header("8A 00", in_message(kClient, 0)).opcode, Opcode::pong);
}

TEST(FrameHeader, RejectsTooBigAsSoonAsItShows_RFC6455_10_4) {
  FrameExpectation expect = kClient;
  expect.data_bytes_max = 100;
  EXPECT_EQ(expect_header("82 64", expect).payload_size, 100U);
  expect_broken("82 65", expect, Rule::message_too_big);
  expect_broken("82 7E 01", expect, Rule::message_too_big);
  expect_broken("82 7E 007E", expect, Rule::message_too_big);
  expect_broken("82 7F 00000001", expect, Rule::message_too_big);
  expect.data_bytes_max = 1U << 24U;
  EXPECT_EQ(expect_header("82 7F 0000000001000000", expect).payload_size, 1U << 24U);
  expect_broken("82 7F 0000000001000001", expect, Rule::message_too_big);
  // Control frames are not part of a message.
  expect.data_bytes_max = 0;
  EXPECT_EQ(expect_header("89 01", expect).payload_size, 1U);
}

TEST(FrameHeader, CompressedFramesHaveTheirOwnLimit_RFC7692_8) {
  FrameExpectation expect = with_compression(kClient);
  expect.data_bytes_max = 10;
  expect.compressed_bytes_max = 20;
  EXPECT_EQ(expect_header("C2 14", expect).payload_size, 20U);
  expect_broken("C2 15", expect, Rule::message_too_big);
  expect_broken("82 0B", expect, Rule::message_too_big);
}

TEST(FrameHeader, Rsv1SaysCompressed_RFC7692_6_1) {
  EXPECT_TRUE(expect_header("C1 00", with_compression(kClient)).compressed);
  EXPECT_FALSE(expect_header("81 00", with_compression(kClient)).compressed);
}

TEST(FrameHeader, RejectsCompressedControlFrames_RFC7692_6_1) {
  for (const char* bytes : {"C8", "C9", "CA"}) {
    expect_broken(bytes, with_compression(kServer), Rule::compressed_control_frame);
  }
}

TEST(FrameHeader, RejectsRsv1OnContinuations_RFC7692_6_1) {
  expect_broken("C0", in_message(with_compression(kServer)), Rule::compressed_continuation);
}

TEST(FrameHeader, WritesTheShortestForm_RFC6455_5_2) {
  const auto written = [](Role sender, std::uint64_t size) {
    std::array<std::uint8_t, kHeaderBytesMax> room{};
    const std::uint8_t* end = write_header(room.data(), sender, Opcode::binary, true, false, size);
    const std::size_t key = sender == Role::client ? 4 : 0;
    EXPECT_EQ(static_cast<std::size_t>(end - room.data()) + key, header_size(size, sender));
    return hex(Bytes(room.data(), end));
  };
  EXPECT_EQ(written(Role::server, 0), "8200");
  EXPECT_EQ(written(Role::server, 125), "827D");
  EXPECT_EQ(written(Role::server, 126), "827E007E");
  EXPECT_EQ(written(Role::server, 65'535), "827EFFFF");
  EXPECT_EQ(written(Role::server, 65'536), "827F0000000000010000");
  EXPECT_EQ(written(Role::client, 125), "82FD");
  EXPECT_EQ(written(Role::client, 126), "82FE007E");
  EXPECT_EQ(written(Role::client, 65'536), "82FF0000000000010000");
  std::array<std::uint8_t, kHeaderBytesMax> room{};
  write_header(room.data(), Role::server, Opcode::text, false, true, 1);
  EXPECT_EQ(room[0], 0x41);
}

}  // namespace
}  // namespace fanfare::ws
