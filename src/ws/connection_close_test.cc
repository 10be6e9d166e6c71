#include <gtest/gtest.h>

#include <string>

#include "ws/connection_for_tests.h"

namespace fanfare::ws {
namespace {

using testing::wire;
using CloseTest = testing::ConnectionTest;

TEST_F(CloseTest, APeersCloseIsAnswered_RFC6455_5_5_1) {
  Connection connection = make(Role::server);
  const auto event = feed(connection, "88 85 00000000 03E8 'bye' 81 80 00000000");
  ASSERT_EQ(event->kind, Event::Kind::close);
  EXPECT_EQ(event->code, 1000);
  EXPECT_EQ(as_text(event->payload), "bye");
  EXPECT_EQ(output.take(), wire("88 02 03E8"));
  EXPECT_EQ(connection.state(), State::closed);
  EXPECT_TRUE(connection.should_close_transport());
  // Data after a Close is ignored.
  EXPECT_TRUE(input.empty());
  EXPECT_FALSE(feed(connection, "FF FF FF").has_value());
  EXPECT_TRUE(input.empty());
  EXPECT_EQ(connection.send(Opcode::text, as_bytes("late"), output), SendResult::not_open);
  EXPECT_EQ(connection.ping({}, output), SendResult::not_open);
  EXPECT_EQ(connection.pong({}, output), SendResult::not_open);
  EXPECT_TRUE(output.take().empty());
}

TEST_F(CloseTest, AnEmptyCloseIsAnsweredEmpty_RFC6455_7_1_5) {
  Connection connection = make(Role::server);
  const auto event = feed(connection, "88 80 00000000");
  EXPECT_EQ(event->kind, Event::Kind::close);
  EXPECT_EQ(event->code, close_code::no_status);
  EXPECT_EQ(output.take(), wire("88 00"));
}

TEST_F(CloseTest, OurCloseWaitsForTheAnswer_RFC6455_7_1_2) {
  Connection connection = make(Role::server);
  EXPECT_EQ(connection.close(1001, "later", output), SendResult::ok);
  EXPECT_EQ(output.take(), wire("88 07 03E9 'later'"));
  EXPECT_EQ(connection.state(), State::closing);
  EXPECT_FALSE(connection.should_close_transport());
  EXPECT_EQ(connection.close(1000, "", output), SendResult::not_open);
  EXPECT_EQ(connection.send(Opcode::text, {}, output), SendResult::not_open);
  EXPECT_FALSE(connection.can_send_message());
  // The peer may have been in the middle of a message.
  expect_message(feed(connection, "81 81 00000000 'x'"), Opcode::text, "x");
  EXPECT_EQ(feed(connection, "89 80 00000000")->kind, Event::Kind::ping);
  EXPECT_EQ(output.take(), wire("8A 00"));
  EXPECT_EQ(feed(connection, "88 82 00000000 03E9")->code, 1001);
  EXPECT_TRUE(output.take().empty());
  EXPECT_EQ(connection.state(), State::closed);
  EXPECT_TRUE(connection.should_close_transport());
}

TEST_F(CloseTest, TheServerClosesTcpFirst_RFC6455_7_1_1) {
  Connection server = make(Role::server);
  Connection client = make(Role::client);
  feed(server, "88 80 00000000");
  feed(client, "88 00");
  EXPECT_EQ(server.state(), State::closed);
  EXPECT_EQ(client.state(), State::closed);
  EXPECT_TRUE(server.should_close_transport());
  EXPECT_FALSE(client.should_close_transport());
}

TEST_F(CloseTest, AFailureSendsOneCloseAndDiscardsTheRest_RFC6455_7_1_7) {
  Connection connection = make(Role::server);
  expect_failed(connection, feed(connection, "81 05 'Hello' 81 80 00000000"), Rule::frame_not_masked);
  EXPECT_EQ(output.take(), wire("88 12 03EA 'frame_not_masked'"));
  EXPECT_FALSE(feed(connection, "81 80 00000000").has_value());
  EXPECT_TRUE(input.empty());
  connection.fail(Rule::message_too_big, output);
  EXPECT_EQ(connection.close(1000, "", output), SendResult::not_open);
  EXPECT_TRUE(output.take().empty());
}

TEST_F(CloseTest, AFailureAfterOurCloseSendsNoSecondOne_RFC6455_7_1_7) {
  Connection connection = make(Role::server);
  connection.close(1000, "", output);
  output.take();
  expect_failed(connection, feed(connection, "83"), Rule::opcode_reserved);
  EXPECT_TRUE(output.take().empty());
}

TEST_F(CloseTest, TheOwnerMayFailIt_RFC6455_7_1_7) {
  Connection connection = make(Role::server);
  connection.fail(close_code::policy_violation, "too fast", output);
  EXPECT_EQ(output.take(), wire("88 0A 03F0 'too fast'"));
  EXPECT_EQ(connection.state(), State::failed);
  EXPECT_FALSE(feed(connection, "81 80 00000000").has_value());
}

TEST_F(CloseTest, CloseCodesThatMayNotBeSent_RFC6455_7_4_1) {
  for (const char* bytes : {"88 02 03ED", "88 02 03EE", "88 02 03F7"}) {
    Connection connection = make(Role::client);
    expect_failed(connection, feed(connection, bytes), Rule::close_code_report_only);
  }
}

TEST_F(CloseTest, CloseCodesWithoutMeaning_RFC6455_7_4_2) {
  for (const char* bytes : {"88 02 0000", "88 02 03E7", "88 02 03EC", "88 02 03F8", "88 02 0BB7",
                            "88 02 1388", "88 02 FFFF", "88 7D 03E7"}) {
    Connection connection = make(Role::client);
    expect_failed(connection, feed(connection, bytes), Rule::close_code_invalid);
  }
  for (const char* bytes : {"88 02 03E8", "88 02 03F6", "88 02 0BB8", "88 02 1387"}) {
    Connection connection = make(Role::client);
    EXPECT_EQ(feed(connection, bytes)->kind, Event::Kind::close) << bytes;
  }
}

TEST_F(CloseTest, CloseBodies_RFC6455_5_5_1) {
  Connection one_byte = make(Role::client);
  expect_failed(one_byte, feed(one_byte, "88 01"), Rule::close_body_one_byte);
  Connection bad_reason = make(Role::client);
  expect_failed(bad_reason, feed(bad_reason, "88 05 03E8 C328"), Rule::close_reason_not_utf8);
  Connection cut_reason = make(Role::client);
  expect_failed(cut_reason, feed(cut_reason, "88 03 03E8 C3"), Rule::close_reason_not_utf8);
  Connection longest = make(Role::client);
  EXPECT_EQ(feed(longest, "88 7D 03E8 'r'*123")->payload.size(), 123U);
}

TEST_F(CloseTest, CloseArgumentsAreChecked_RFC6455_5_5_1) {
  Connection connection = make(Role::server);
  EXPECT_EQ(connection.close(1006, "", output), SendResult::invalid_close);
  EXPECT_EQ(connection.close(999, "", output), SendResult::invalid_close);
  EXPECT_EQ(connection.close(close_code::no_status, "why", output), SendResult::invalid_close);
  EXPECT_EQ(connection.close(1000, "\xC3", output), SendResult::invalid_close);
  EXPECT_EQ(connection.close(1000, std::string(124, 'r'), output), SendResult::too_long);
  EXPECT_EQ(connection.state(), State::open);
  EXPECT_TRUE(output.take().empty());
  EXPECT_EQ(connection.close(close_code::no_status, "", output), SendResult::ok);
  EXPECT_EQ(output.take(), wire("88 00"));
}

TEST(State, TheTableIsComplete_RFC6455_7_1_4) {
  for (const State state : {State::open, State::closing, State::closed, State::failed}) {
    for (const Input input : {Input::close, Input::peer_close, Input::failure}) {
      const Transition step = transition(state, input);
      // The two final states are never left, and a Close is sent only once: on leaving `open`.
      if (!is_reading(state)) {
        EXPECT_EQ(step.next, state);
      }
      EXPECT_EQ(step.action != Action::nothing, state == State::open);
    }
  }
}

}  // namespace
}  // namespace fanfare::ws
