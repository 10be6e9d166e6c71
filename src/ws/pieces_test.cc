// Messages that are handed out in pieces: what the pieces say, that they are not kept, and every rule as
// ever.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "ws/connection.h"
#include "ws/deflate_codec.h"

namespace fanfare::ws {
namespace {

class Sink final : public Output {
 public:
  std::uint8_t* extend(std::size_t size) override {
    bytes.resize(bytes.size() + size);
    return bytes.data() + bytes.size() - size;
  }
  std::vector<std::uint8_t> bytes;
};

constexpr Limits kSmall{.message_bytes_max = 20};

Connection in_pieces(const Limits& limits = kDefaultLimits, std::unique_ptr<MessageCodec> codec = nullptr) {
  return Connection({.role = Role::server,
                     .limits = &limits,
                     .random = nullptr,
                     .codec = std::move(codec),
                     .pieces = true});
}

// RFC6455§5.2, masked with zeros; up to 125 bytes.
std::string frame(int first_byte, std::string_view payload) {
  std::string bytes(1, static_cast<char>(first_byte));
  bytes += static_cast<char>(0x80U | payload.size());
  bytes += std::string(4, '\0');
  return bytes.append(payload);
}

// What comes of these bytes: "(text" begins a message, ")" ends it.
std::string events(Connection& connection, std::string_view bytes) {
  std::vector<std::uint8_t> wire(bytes.begin(), bytes.end());
  MutableBytes input(wire);
  Sink output;
  std::string text;
  while (const auto event = connection.next(input, output)) {
    switch (event->kind) {
      case Event::Kind::message:
        text += event->first ? (event->opcode == Opcode::text ? "(text " : "(binary ") : "";
        text += as_text(event->payload);
        text += event->last ? ")" : ",";
        break;
      case Event::Kind::ping:
        text += "[ping]";
        break;
      case Event::Kind::pong:
        text += "[pong]";
        break;
      case Event::Kind::close:
        text += "[close]";
        break;
      case Event::Kind::failed:
        return text + "[" + std::string(info(event->rule).name) + "]";
    }
  }
  return text;
}

TEST(Pieces, AMessageThatCameWholeIsOne) {
  Connection connection = in_pieces();
  EXPECT_EQ(events(connection, frame(0x81, "Hello") + frame(0x82, "") + frame(0x82, "x")),
            "(text Hello)(binary )(binary x)");
}

TEST(Pieces, FramesAndPartsOfFramesAreHandedOutAsTheyCome_RFC6455_5_4) {
  Connection connection = in_pieces();
  EXPECT_EQ(events(connection, frame(0x01, "") + frame(0x00, "Hel") + frame(0x89, "") + frame(0x00, "")),
            "(text Hel,[ping]");
  const std::string last = frame(0x80, "lo there");
  EXPECT_EQ(events(connection, last.substr(0, 3)), "");
  EXPECT_EQ(events(connection, last.substr(3, 5)), "lo,");
  EXPECT_EQ(events(connection, last.substr(8) + frame(0x81, "next")), " there)(text next)");
  EXPECT_EQ(connection.buffered_bytes(), 0U);
}

TEST(Pieces, AnEmptyEndAndAnEmptyMessageAreEventsToo) {
  Connection connection = in_pieces();
  EXPECT_EQ(events(connection, frame(0x02, "a")), "(binary a,");
  EXPECT_EQ(events(connection, frame(0x80, "")), ")");
  EXPECT_EQ(events(connection, frame(0x02, "") + frame(0x80, "")), "(binary )");
}

// However a stream of messages is cut, its pieces are the same messages, and none of them is kept.
TEST(Pieces, AreTheSameMessagesHoweverTheBytesAreCut) {
  SeededRandom random(11);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    std::string whole;
    for (int message = 0; message < 5; ++message) {
      const int frames = static_cast<int>(random.below(4)) + 1;
      whole += "(binary ";
      for (int i = 0; i < frames; ++i) {
        const std::string payload(random.below(100), static_cast<char>('a' + random.below(26)));
        bytes += frame((i == 0 ? 0x02 : 0x00) | (i + 1 == frames ? 0x80 : 0x00), payload);
        if (random.below(3) == 0) bytes += frame(0x8a, "");
        whole += payload;
      }
      whole += ")";
    }
    Connection connection = in_pieces();
    std::string seen;
    while (!bytes.empty()) {
      const std::size_t cut = std::min<std::size_t>(bytes.size(), random.below(60) + 1);
      seen += events(connection, bytes.substr(0, cut));
      bytes.erase(0, cut);
      ASSERT_LE(connection.buffered_bytes(), sizeof(Incoming) + kRecycledMessageBytesMax);
    }
    std::erase(seen, ',');
    while (seen.find("[pong]") != std::string::npos) seen.erase(seen.find("[pong]"), 6);
    ASSERT_EQ(seen, whole) << "round " << round;
  }
}

TEST(Pieces, TextIsCheckedOverTheBordersOfPieces_RFC6455_5_6) {
  Connection good = in_pieces();
  EXPECT_EQ(events(good, frame(0x01, "\xe2\x82") + frame(0x80, "\xac")), "(text \xe2\x82,\xac)");
  Connection bad = in_pieces();
  EXPECT_EQ(events(bad, frame(0x01, "ok \xe2\x82") + frame(0x80, "x")), "(text ok \xe2\x82,[text_not_utf8]");
  Connection cut = in_pieces();
  EXPECT_EQ(events(cut, frame(0x01, "\xe2\x82") + frame(0x80, "")), "(text \xe2\x82,[text_not_utf8]");
}

TEST(Pieces, TheirSumHasTheLimit_RFC6455_10_4) {
  const std::string ten(10, 'x');
  Connection at = in_pieces(kSmall);
  EXPECT_EQ(events(at, frame(0x02, ten) + frame(0x80, ten) + frame(0x02, ten) + frame(0x80, ten)),
            "(binary " + ten + "," + ten + ")(binary " + ten + "," + ten + ")");
  Connection past = in_pieces(kSmall);
  EXPECT_EQ(events(past, frame(0x02, ten) + frame(0x00, ten) + frame(0x80, "x")),
            "(binary " + ten + "," + ten + ",[message_too_big]");
}

// The pieces of a compressed message are inflated as they come, in steps.
TEST(Pieces, ACompressedMessageIsInflatedAsItComes_RFC7692_6) {
  DeflatePool pool({.threshold_bytes = 1});
  DeflateCodec sender({}, Role::client, pool);
  Connection connection =
      in_pieces(kDefaultLimits, std::make_unique<DeflateCodec>(DeflateParameters{}, Role::server, pool));
  SeededRandom random(3);
  for (int round = 0; round < 3; ++round) {
    std::string text;
    while (text.size() < 4'000'000) text += std::to_string(random.below(1000)) + std::string(30, 'z');
    const auto payload = sender.compress(Opcode::text, as_bytes(text));
    ASSERT_TRUE(payload);
    // 64-bit length, RFC6455§5.2; FIN, RSV1, text.
    std::string wire = "\xc1\xff";
    for (int shift = 56; shift >= 0; shift -= 8) wire += static_cast<char>(payload->size() >> shift);
    wire += std::string(4, '\0') + std::string(as_text(*payload));
    std::vector<std::uint8_t> bytes(wire.begin(), wire.end());
    MutableBytes input(bytes);
    Sink output;
    std::string seen;
    int pieces = 0;
    while (const auto event = connection.next(input, output)) {
      ASSERT_EQ(event->kind, Event::Kind::message);
      EXPECT_EQ(event->first, pieces++ == 0);
      EXPECT_LE(event->payload.size(), 2048U * 1032 + 16);
      seen.append(as_text(event->payload));
      EXPECT_EQ(event->last, seen.size() == text.size());
    }
    ASSERT_EQ(seen, text);
    EXPECT_GT(pieces, 3);
  }
}

TEST(Pieces, ABombIsStoppedAtTheLimitOfTheWhole_RFC7692_8) {
  DeflatePool pool({.threshold_bytes = 1});
  const Limits limits{.message_bytes_max = 1'000'000};
  for (const std::size_t size : {std::size_t{1'000'000}, std::size_t{1'000'001}}) {
    DeflateCodec sender({}, Role::client, pool);
    Connection connection =
        in_pieces(limits, std::make_unique<DeflateCodec>(DeflateParameters{}, Role::server, pool));
    const std::string zeros(size, '\0');
    const auto payload = sender.compress(Opcode::binary, as_bytes(zeros));
    ASSERT_TRUE(payload);
    std::string wire;
    std::string_view rest = as_text(*payload);
    while (!rest.empty()) {
      const std::string_view part = rest.substr(0, 100);
      rest.remove_prefix(part.size());
      wire += frame((wire.empty() ? 0x42 : 0x00) | (rest.empty() ? 0x80 : 0x00), part);
    }
    const std::string seen = events(connection, wire);
    EXPECT_EQ(seen.ends_with(")"), size == 1'000'000);
    EXPECT_EQ(seen.ends_with("[inflated_message_too_big]"), size != 1'000'000);
  }
}

}  // namespace
}  // namespace fanfare::ws
