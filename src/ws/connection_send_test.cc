#include <gtest/gtest.h>

#include "ws/connection_for_tests.h"

namespace fanfare::ws {
namespace {

using testing::hex;
using testing::Wire;
using testing::wire;
using SendTest = testing::ConnectionTest;

TEST_F(SendTest, SendsWholeMessages_RFC6455_5_6) {
  Connection connection = make(Role::server);
  EXPECT_EQ(connection.send(Opcode::text, as_bytes("Hello"), output), SendResult::ok);
  EXPECT_EQ(connection.send(Opcode::binary, wire("AB*300"), output), SendResult::ok);
  EXPECT_EQ(output.take(), wire("81 05 'Hello' 82 7E 012C AB*300"));
}

TEST_F(SendTest, SendsFragments_RFC6455_5_4) {
  Connection connection = make(Role::server);
  EXPECT_EQ(connection.send_fragment(Opcode::text, as_bytes("He"), false, output), SendResult::ok);
  EXPECT_FALSE(connection.can_send_message());
  EXPECT_EQ(connection.send(Opcode::text, as_bytes("no"), output), SendResult::in_message);
  EXPECT_EQ(connection.ping(as_bytes("?"), output), SendResult::ok);
  EXPECT_EQ(connection.send_fragment(Opcode::text, as_bytes("ll"), false, output), SendResult::ok);
  EXPECT_EQ(connection.send_fragment(Opcode::text, as_bytes("o"), true, output), SendResult::ok);
  EXPECT_TRUE(connection.can_send_message());
  EXPECT_EQ(output.take(), wire("01 02 'He' 89 01 '?' 00 02 'll' 80 01 'o'"));
}

TEST_F(SendTest, ControlPayloadsAreSmall_RFC6455_5_5) {
  Connection connection = make(Role::server);
  EXPECT_EQ(connection.ping(wire("00*126"), output), SendResult::too_long);
  EXPECT_EQ(connection.pong(wire("00*126"), output), SendResult::too_long);
  EXPECT_EQ(connection.pong(wire("00*125"), output), SendResult::ok);
  EXPECT_EQ(output.take(), wire("8A 7D 00*125"));
}

TEST_F(SendTest, AClientMasksWithAFreshKeyEveryTime_RFC6455_5_3) {
  Connection client = make(Role::client);
  client.send(Opcode::text, as_bytes("Hello"), output);
  const Wire first = output.take();
  client.send(Opcode::text, as_bytes("Hello"), output);
  const Wire second = output.take();
  EXPECT_EQ(hex(Bytes(first).first(2)), "8185");
  EXPECT_NE(first, second);
  Connection server = make(Role::server);
  expect_message(feed(server, hex(first).c_str()), Opcode::text, "Hello");
  expect_message(feed(server, hex(second).c_str()), Opcode::text, "Hello");
}

TEST_F(SendTest, SharedFramesAreWhatSendWrites) {
  Connection connection = make(Role::server);
  connection.send(Opcode::text, as_bytes("Hello"), output);
  EXPECT_EQ(hex(encode_message(Opcode::text, as_bytes("Hello")).view()), hex(output.take()));
  EXPECT_EQ(hex(encode_compressed_message(Opcode::binary, as_bytes("ab")).view()), "C2026162");
}

}  // namespace
}  // namespace fanfare::ws
