#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ws/connection_for_tests.h"

namespace fanfare::ws {
namespace {

using testing::Wire;
using testing::wire;
using ReceiveTest = testing::ConnectionTest;

TEST_F(ReceiveTest, AWholeMessageIsAViewOfTheInput) {
  Connection connection = make(Role::server);
  const auto event = feed(connection, "81 85 37FA213D 7F9F4D5158 82 80 00000000");
  expect_message(event, Opcode::text, "Hello");
  EXPECT_EQ(event->payload.data(), memory.data() + 6);
  expect_message(again(connection), Opcode::binary, "");
  EXPECT_TRUE(input.empty());
  EXPECT_FALSE(again(connection).has_value());
  EXPECT_EQ(connection.buffered_bytes(), 0U);
  EXPECT_TRUE(output.take().empty());
}

TEST_F(ReceiveTest, BigWholeFramesAreViewsToo) {
  Connection connection = make(Role::client);
  const auto event = feed(connection, "82 7F 0000000000011170 55*70000");
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->payload.data(), memory.data() + 10);
  EXPECT_EQ(event->payload.size(), 70'000U);
  EXPECT_EQ(connection.buffered_bytes(), 0U);
}

TEST_F(ReceiveTest, APartialMessageIsKeptAndItsMemoryReturned) {
  Connection connection = make(Role::server);
  EXPECT_FALSE(feed(connection, "81 85 37FA213D 7F9F").has_value());
  EXPECT_TRUE(input.empty());
  EXPECT_GT(connection.buffered_bytes(), 0U);
  expect_message(feed(connection, "4D5158"), Opcode::text, "Hello");
  EXPECT_FALSE(again(connection).has_value());
  EXPECT_EQ(connection.buffered_bytes(), 0U);
}

TEST_F(ReceiveTest, AMessageThatWasKeptCanBeTakenOver) {
  Connection connection = make(Role::server);
  EXPECT_FALSE(feed(connection, "81 85 37FA213D 7F9F").has_value());
  auto event = feed(connection, "4D5158");
  expect_message(event, Opcode::text, "Hello");
  EXPECT_EQ(connection.take_message(Bytes(event->payload).subspan(1)), nullptr);
  const IncomingPtr taken = connection.take_message(event->payload);
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(connection.buffered_bytes(), 0U);
  EXPECT_EQ(connection.take_message(event->payload), nullptr);
  // The next messages have memory of their own.
  EXPECT_FALSE(feed(connection, "81 85 00000000 'next'").has_value());
  expect_message(feed(connection, "'!'"), Opcode::text, "next!");
  EXPECT_EQ(as_text(event->payload), "Hello");
  // A view of the input cannot be taken.
  event = feed(connection, "81 82 00000000 'ok'");
  EXPECT_EQ(connection.take_message(event->payload), nullptr);
}

TEST_F(ReceiveTest, AnAnnouncementCostsNoMemory_RFC6455_10_4) {
  limits.message_bytes_max = std::size_t{4} << 30U;
  Connection connection = make(Role::server);
  EXPECT_FALSE(feed(connection, "82 FF 0000000040000000 00000000 55*1000").has_value());
  EXPECT_LE(connection.buffered_bytes(), 1000U + 1024U);
}

TEST_F(ReceiveTest, MemoryGrowsWithTheBytesAndStopsAtTheLimit_RFC6455_10_4) {
  limits.message_bytes_max = 100'000;
  Connection connection = make(Role::server);
  EXPECT_FALSE(feed(connection, "02 FE EA60 00000000 55*60000").has_value());
  EXPECT_FALSE(feed(connection, "00 FE 8000 00000000 55*32768").has_value());
  EXPECT_LE(connection.buffered_bytes(), 100'000 + sizeof(Incoming));
  EXPECT_FALSE(feed(connection, "00 FE 1C1F 00000000 55*7199").has_value());
  const auto event = feed(connection, "80 81 00000000 55");
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->payload.size(), 99'968U);
}

TEST_F(ReceiveTest, MessagesOfTheLimitPassAndBiggerOnesDoNot_RFC6455_10_4) {
  limits.message_bytes_max = 10;
  Connection connection = make(Role::server);
  expect_message(feed(connection, "82 8A 00000000 'aaaaaaaaaa'"), Opcode::binary, "aaaaaaaaaa");
  expect_message(feed(connection, "02 85 00000000 'aaaaa' 80 85 00000000 'bbbbb'"), Opcode::binary,
                 "aaaaabbbbb");
  EXPECT_FALSE(feed(connection, "02 85 00000000 'aaaaa'").has_value());
  expect_failed(connection, feed(connection, "80 86"), Rule::message_too_big);
  EXPECT_EQ(output.take(), wire("88 11 03F1 'message_too_big'"));

  Connection other = make(Role::server);
  expect_failed(other, feed(other, "82 8B"), Rule::message_too_big);
}

TEST_F(ReceiveTest, FragmentsUpToTheLimitPass_RFC6455_10_4) {
  limits.fragments_max = 3;
  Connection connection = make(Role::client);
  expect_message(feed(connection, "01 00 00 01 'a' 80 01 'b'"), Opcode::text, "ab");
  expect_failed(connection, feed(connection, "01 00 00 00 00 00 80"), Rule::too_many_fragments);
}

TEST_F(ReceiveTest, TheDefaultLimitsTakeFourMebibytesInPiecesOf64) {
  Connection connection = make(Role::client);
  const Wire first = wire("02 40 55*64");
  const Wire middle = wire("00 40 55*64");
  const Wire last = wire("80 40 55*64");
  for (unsigned i = 0; i < 65'535; ++i) {
    Wire bytes = i == 0 ? first : middle;
    MutableBytes view = bytes;
    ASSERT_FALSE(connection.next(view, output).has_value()) << i;
  }
  Wire bytes = last;
  MutableBytes view = bytes;
  const auto event = connection.next(view, output);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, Event::Kind::message);
  EXPECT_EQ(event->payload.size(), 4U << 20U);
}

TEST_F(ReceiveTest, ControlFramesComeBetweenFragments_RFC6455_5_4) {
  Connection connection = make(Role::server);
  EXPECT_EQ(feed(connection, "01 82 00000000 'He' 89 81 00000000 '?' 80 83 00000000 'llo'")->kind,
            Event::Kind::ping);
  EXPECT_EQ(output.take(), wire("8A 01 '?'"));
  expect_message(again(connection), Opcode::text, "Hello");
}

TEST_F(ReceiveTest, PingsAreAnsweredWithTheirData_RFC6455_5_5_3) {
  Connection connection = make(Role::server);
  const auto event = feed(connection, "89 85 37FA213D 7F9F4D5158");
  ASSERT_EQ(event->kind, Event::Kind::ping);
  EXPECT_EQ(as_text(event->payload), "Hello");
  EXPECT_EQ(output.take(), wire("8A 05 'Hello'"));
}

TEST_F(ReceiveTest, PongsNobodyAskedForAreJustReported_RFC6455_5_5_3) {
  Connection connection = make(Role::client);
  EXPECT_EQ(feed(connection, "8A 02 'hi'")->kind, Event::Kind::pong);
  EXPECT_TRUE(output.take().empty());
  EXPECT_EQ(connection.state(), State::open);
}

TEST_F(ReceiveTest, TextIsCheckedAcrossFragments_RFC6455_5_6) {
  Connection connection = make(Role::client);
  expect_message(feed(connection, "01 01 E2 00 01 82 80 01 AC"), Opcode::text, "€");
  EXPECT_FALSE(feed(connection, "01 01 E2").has_value());
  // The continuation is incomplete, but more bytes could not make it valid.
  expect_failed(connection, feed(connection, "80 05 28"), Rule::text_not_utf8);
}

TEST_F(ReceiveTest, TextThatEndsInsideACharacterFails_RFC6455_8_1) {
  for (const char* bytes : {"81 01 C3", "01 01 C3 80 00", "01 02 'a' C3 80 00"}) {
    Connection connection = make(Role::client);
    expect_failed(connection, feed(connection, bytes), Rule::text_not_utf8);
    EXPECT_EQ(output.take().size(), 2U + 4U + 2U + std::string_view("text_not_utf8").size());
  }
}

TEST_F(ReceiveTest, BinaryMayBeAnything) {
  Connection connection = make(Role::client);
  expect_message(feed(connection, "82 02 C328"), Opcode::binary, "\xC3\x28");
}

class PagesTest : public ReceiveTest {
 protected:
  PagesTest() {
    limits.message_bytes_max = 2 * kKeptPagesBytesMax;
    while (release_unused_pages() > 0) continue;
  }
  // In pieces of so many bytes, and the last byte alone. Returns where it was.
  const std::uint8_t* receive_in_pieces(std::size_t bytes, std::size_t piece_bytes) {
    Connection connection = make(Role::client);
    std::string head = "\x82\x7f";
    for (int shift = 56; shift >= 0; shift -= 8) head += static_cast<char>(bytes >> shift);
    memory.assign(head.begin(), head.end());
    for (std::size_t came = 0; came < bytes - 1;) {
      const std::size_t piece = std::min(piece_bytes, bytes - 1 - came);
      memory.resize(memory.size() + piece, 'a');
      input = memory;
      EXPECT_FALSE(again(connection).has_value());
      memory.clear();
      came += piece;
      // A peer is charged for what it holds, and holds it only by sending.
      EXPECT_LE(connection.buffered_bytes(), sizeof(Incoming) + std::max(4 * came, kPage));
    }
    memory.assign(1, 'b');
    input = memory;
    const auto event = again(connection);
    EXPECT_TRUE(event.has_value());
    if (!event) return nullptr;
    EXPECT_EQ(as_text(event->payload), std::string(bytes - 1, 'a') + "b");
    return event->payload.data();
  }
  const std::uint8_t* receive(std::size_t bytes) { return receive_in_pieces(bytes, bytes); }

  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kMiB = 1 << 20;
};

TEST_F(PagesTest, ThePagesOfALargeMessageServeTheNextOneUntilNoneUsesThem) {
  receive(kMiB);  // room for the list of them is made with the first large message
  const std::uint8_t* const first = receive(kMiB);
  EXPECT_EQ(receive(kMiB), first);
  EXPECT_EQ(receive(kMiB / 2 + 1), first) << "at most twice as many as it needs";
  EXPECT_GE(release_unused_pages(), kMiB);
  receive(kMiB);
  EXPECT_GE(release_unused_pages(), kMiB) << "used since";
  EXPECT_EQ(release_unused_pages(), 0U);
}

// Otherwise a peer would hold a megabyte by sending the first eighth of it.
TEST_F(PagesTest, ASmallerMessageGetsNoneThatAreMuchLarger) {
  receive(kMiB);
  const std::uint8_t* const large = receive(kMiB);
  EXPECT_NE(receive(kMiB / 4), large);
  EXPECT_EQ(receive(kMiB), large);
}

TEST_F(PagesTest, AMessageThatGrowsMovesFromPagesToLargerOnes) {
  receive_in_pieces(kMiB, 60'000);
  const std::uint8_t* const first = receive_in_pieces(kMiB, 60'000);
  EXPECT_EQ(receive_in_pieces(kMiB, 60'000), first);
  const std::size_t kept = release_unused_pages();
  for (int i = 0; i < 10; ++i) receive_in_pieces(kMiB, 60'000);
  EXPECT_EQ(release_unused_pages(), kept) << "no more than before";
}

TEST_F(PagesTest, ThoseThatNoMessageUsesAreReturnedAlthoughOthersAreUsed) {
  receive(kMiB);
  receive(kMiB);
  receive(8 * kMiB);
  EXPECT_EQ(release_unused_pages(), 9 * kMiB);
  receive(kMiB);
  EXPECT_EQ(release_unused_pages(), kMiB);
}

TEST_F(PagesTest, SoManyPagesAreKeptAndNoMore) {
  receive(kKeptPagesBytesMax);
  EXPECT_EQ(release_unused_pages(), kKeptPagesBytesMax);
  EXPECT_EQ(release_unused_pages(), 0U);
  receive(kKeptPagesBytesMax + 1);
  EXPECT_EQ(release_unused_pages(), 0U);
}

}  // namespace
}  // namespace fanfare::ws
