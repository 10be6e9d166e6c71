#pragma once
// What the tests of the connection share: a connection of either role, bytes to feed it, and what to expect.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "ws/connection.h"
#include "ws/wire_for_tests.h"

namespace fanfare::ws::testing {

// Inflates by handing on what it gets, compresses whatever is longer than three bytes by dropping its last
// byte, and breaks on demand: what the connection does with a codec shows without a real one.
class FakeCodec final : public MessageCodec {
 public:
  std::expected<void, CodecError> decompress(Bytes piece, bool last, std::size_t message_bytes_max,
                                             std::vector<std::uint8_t>& message) override {
    if (!piece.empty() && piece[0] == 0xEE) return std::unexpected(static_cast<CodecError>(piece[1]));
    if (message.size() + piece.size() > message_bytes_max)
      return std::unexpected(CodecError::message_too_big);
    message.insert(message.end(), piece.begin(), piece.end());
    if (last) message.push_back('.');
    return {};
  }
  std::optional<Bytes> compress(Opcode, Bytes message) override {
    if (message.size() <= 3) return std::nullopt;
    return message.first(message.size() - 1);
  }
};

class ConnectionTest : public ::testing::Test {
 protected:
  Connection make(Role role, bool codec = false) {
    return Connection({.role = role,
                       .limits = &limits,
                       .random = &random,
                       .codec = codec ? std::make_unique<FakeCodec>() : nullptr});
  }

  // The next event of these bytes, all of which are given at once.
  std::optional<Event> feed(Connection& connection, const char* bytes) {
    memory = wire(bytes);
    input = memory;
    return connection.next(input, output);
  }
  std::optional<Event> again(Connection& connection) { return connection.next(input, output); }

  void expect_message(const std::optional<Event>& event, Opcode opcode, std::string_view payload) {
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->kind, Event::Kind::message);
    EXPECT_EQ(event->opcode, opcode);
    EXPECT_EQ(as_text(event->payload), payload);
  }
  void expect_failed(Connection& connection, const std::optional<Event>& event, Rule rule) {
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->kind, Event::Kind::failed);
    EXPECT_EQ(info(event->rule).name, info(rule).name);
    EXPECT_EQ(event->code, info(rule).code);
    EXPECT_EQ(connection.state(), State::failed);
    EXPECT_TRUE(connection.should_close_transport());
    EXPECT_TRUE(input.empty());
    EXPECT_EQ(connection.buffered_bytes(), 0U);
  }

  Limits limits;
  SeededRandom random{1};
  KeptOutput output;
  Wire memory;
  MutableBytes input;
};

}  // namespace fanfare::ws::testing
