#pragma once
// Shared by the connection's tests: a connection of either role, bytes to feed it, and expectations.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "ws/connection.h"
#include "ws/wire_for_tests.h"

namespace fanfare::ws::testing {

// A fake codec that shows how the connection uses one. It inflates by passing bytes through, compresses
// messages longer than three bytes by dropping the last byte, and fails on demand.
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

  // Returns the next event from these bytes, which are all passed at once.
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
