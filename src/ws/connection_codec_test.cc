#include <gtest/gtest.h>

#include "ws/connection_for_tests.h"

namespace fanfare::ws {
namespace {

using testing::wire;
using CodecTest = testing::ConnectionTest;

TEST_F(CodecTest, CodecErrorsFailWithTheirRule_RFC7692_7_2_2) {
  Connection corrupt = make(Role::client, true);
  expect_failed(corrupt, feed(corrupt, "C1 05 EE00"), Rule::compressed_data_corrupt);
}

TEST_F(CodecTest, CompressedMessagesGoThroughTheCodec_RFC7692_6_2) {
  Connection connection = make(Role::client, true);
  expect_message(feed(connection, "C1 02 'ab'"), Opcode::text, "ab.");
  expect_message(feed(connection, "41 02 'ab' 00 00 80 00"), Opcode::text, "ab.");
}

TEST_F(CodecTest, UncompressedMessagesDoNot_RFC7692_6_2) {
  Connection connection = make(Role::client, true);
  const auto event = feed(connection, "81 02 'ab'");
  expect_message(event, Opcode::text, "ab");
  EXPECT_EQ(event->payload.data(), memory.data() + 2);
}

TEST_F(CodecTest, CompressesWhenItPays_RFC7692_6_1) {
  Connection connection = make(Role::server, true);
  connection.send(Opcode::text, as_bytes("abc"), output);
  connection.send(Opcode::text, as_bytes("abcd"), output);
  EXPECT_EQ(output.take(), wire("81 03 'abc' C1 03 'abc'"));
}

TEST_F(CodecTest, InflationHasLimits_RFC7692_8) {
  Connection big = make(Role::client, true);
  expect_failed(big, feed(big, "C1 02 EE01"), Rule::inflated_message_too_big);
  Connection ratio = make(Role::client, true);
  expect_failed(ratio, feed(ratio, "C1 02 EE02"), Rule::inflation_ratio_exceeded);
  Connection contexts = make(Role::client, true);
  expect_failed(contexts, feed(contexts, "C1 02 EE03"), Rule::deflate_contexts_exhausted);
}

TEST_F(CodecTest, InflatedTextIsUtf8_RFC6455_8_1) {
  Connection connection = make(Role::client, true);
  expect_failed(connection, feed(connection, "C1 05 C328"), Rule::text_not_utf8);
}

TEST_F(CodecTest, CompressionNeedsAnAgreement_RFC6455_5_2) {
  Connection connection = make(Role::client);
  expect_failed(connection, feed(connection, "C1 02 'ab'"), Rule::reserved_bits_set);
}

}  // namespace
}  // namespace fanfare::ws
