// The loop's components in isolation: arena, outbox, addresses.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

#include "net/accept_pause.h"
#include "net/arena.h"
#include "net/outbox.h"
#include "net/socket.h"
#include "net/timers.h"

namespace fanfare::net {
namespace {

std::string content(Outbox& outbox) {
  std::array<iovec, 64> parts;
  const std::size_t count = outbox.gather(parts);
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  return text;
}

void write(Outbox& outbox, Arena& arena, std::string_view text) {
  std::memcpy(outbox.extend(text.size(), arena), text.data(), text.size());
}

TEST(Outbox, GathersNoMoreThanItIsAskedFor) {
  Outbox outbox;
  outbox.push(SharedBytes(as_bytes("one")));
  outbox.push(SharedBytes(as_bytes("three")));
  std::array<iovec, 4> parts{};
  EXPECT_EQ(outbox.gather(parts, 3), 1U);
  EXPECT_EQ(parts[0].iov_len, 3U);
  EXPECT_EQ(outbox.gather(parts, 4), 2U);
  EXPECT_EQ(parts[1].iov_len, 1U);
  EXPECT_EQ(outbox.gather(parts, 8), 2U);
  EXPECT_EQ(parts[1].iov_len, 5U);
  outbox.consume(4);
  EXPECT_EQ(outbox.consumed(), 4U);
}

TEST(Outbox, PiecesWrittenOneAfterTheOtherAreOneSegment) {
  Arena arena;
  Outbox outbox;
  write(outbox, arena, "one ");
  write(outbox, arena, "two");
  std::array<iovec, 4> parts;
  EXPECT_EQ(outbox.gather(parts), 1U);
  EXPECT_EQ(content(outbox), "one two");
}

TEST(Outbox, GrowsOnWhileItsFirstBytesAreOnTheirWay) {
  Arena arena;
  Outbox outbox;
  write(outbox, arena, "sent");
  EXPECT_EQ(content(outbox), "sent");
  write(outbox, arena, " and ");
  outbox.consume(4);
  write(outbox, arena, "more");
  EXPECT_EQ(outbox.bytes(), 9U);
  EXPECT_EQ(content(outbox), " and more");
  outbox.consume(9);
  EXPECT_TRUE(outbox.empty());
}

TEST(Outbox, GrowsNoFurtherBehindWhatIsShared) {
  Arena arena;
  Outbox outbox;
  write(outbox, arena, "own ");
  write(outbox, arena, "and ");
  outbox.push(SharedBytes(as_bytes("shared")));
  EXPECT_EQ(outbox.extend_in_place(1), nullptr);
  write(outbox, arena, " and own");
  EXPECT_EQ(content(outbox), "own and shared and own");
}

TEST(Outbox, GrowsUpToTheEndOfItsChunkAndOnInTheNext) {
  Arena arena;
  Outbox outbox;
  std::string all;
  for (char piece = 'a'; piece <= 'f'; ++piece) {
    all.append(Arena::kPieceBytesMax, piece);
    write(outbox, arena, std::string(Arena::kPieceBytesMax, piece));
  }
  EXPECT_EQ(content(outbox), all);
  outbox.settle();
  EXPECT_EQ(outbox.extend_in_place(1), nullptr);
  EXPECT_EQ(content(outbox), all);
}

TEST(Outbox, ConsumesAcrossSegments) {
  Arena arena;
  Outbox outbox;
  write(outbox, arena, "abc");
  outbox.push(SharedBytes(as_bytes("defg")));
  outbox.consume(4);
  EXPECT_EQ(content(outbox), "efg");
  EXPECT_EQ(outbox.bytes(), 3U);
  outbox.consume(3);
  EXPECT_TRUE(outbox.empty());
}

TEST(Outbox, ManySegmentsComeInOrderWhileMoreAreAdded) {
  Outbox outbox;
  std::string expected;
  std::string got;
  for (int i = 0; i < 400; ++i) {
    const std::string text = std::to_string(i) + ",";
    expected += text;
    outbox.push(SharedBytes(as_bytes(text)));
    if (i % 5 != 0) continue;
    const std::string next = content(outbox).substr(0, 11);
    got += next;
    outbox.consume(next.size());
  }
  while (!outbox.empty()) {
    const std::string next = content(outbox);
    got += next;
    outbox.consume(next.size());
  }
  EXPECT_EQ(got, expected);
}

TEST(Outbox, TwoStreamsInterleavedKeepTheirOwnBytes) {
  Arena arena;
  Outbox one;
  Outbox two;
  for (int i = 0; i < 100; ++i) {
    write(one, arena, "1");
    write(two, arena, "2");
  }
  std::array<iovec, 256> parts;
  EXPECT_EQ(one.gather(parts), 100U);
  EXPECT_EQ(two.bytes(), 100U);
  EXPECT_EQ(content(one).substr(0, 3), "111");
}

TEST(Outbox, SettledBytesSurviveTheArenaBeingReused) {
  Arena arena;
  Outbox slow;
  write(slow, arena, "kept");
  slow.settle();
  Outbox next;
  write(next, arena, "overwrites the same place");
  EXPECT_EQ(content(slow), "kept");
}

TEST(Outbox, LargePiecesGetTheirOwnMemory) {
  Arena arena;
  Outbox outbox;
  const std::string edge(Arena::kPieceBytesMax, 'e');
  const std::string past(Arena::kPieceBytesMax + 1, 'p');
  write(outbox, arena, edge);
  write(outbox, arena, past);
  EXPECT_EQ(content(outbox), edge + past);
}

TEST(Arena, ChunksComeBack) {
  Arena arena;
  const std::uint8_t* first = nullptr;
  {
    Outbox outbox;
    first = outbox.extend(16, arena);
  }
  Outbox outbox;
  EXPECT_EQ(outbox.extend(16, arena), first);
}

TEST(AcceptPause, TellsTheFirstFailureAndTheEnd) {
  AcceptPause pause;
  testing::internal::CaptureStderr();
  pause.end();
  EXPECT_FALSE(pause.begins("accept", ECONNABORTED));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");

  testing::internal::CaptureStderr();
  EXPECT_TRUE(pause.begins("accept", EMFILE));
  EXPECT_NE(testing::internal::GetCapturedStderr().find("accept: Too many open files"), std::string::npos);

  testing::internal::CaptureStderr();
  EXPECT_TRUE(pause.begins("accept", EMFILE));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");

  testing::internal::CaptureStderr();
  pause.end();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("accept_works_again"), std::string::npos);
}

TEST(Address, ParsesAndPrints) {
  EXPECT_EQ(Address::parse("127.0.0.1", 8546)->text(), "127.0.0.1:8546");
  EXPECT_EQ(Address::parse("localhost", 1)->text(), "127.0.0.1:1");
  for (const char* const v4 : {"0.0.0.0", "255.255.255.255", "1.20.0.100"})
    EXPECT_EQ(Address::parse(v4, 0)->host(), v4);
  EXPECT_EQ(Address::parse("::1", 8546)->text(), "[::1]:8546");
  EXPECT_EQ(Address::parse("[::1]", 8546)->text(), "[::1]:8546");
  EXPECT_EQ(Address::unix_path("/run/x.sock")->text(), "unix:/run/x.sock");
  EXPECT_TRUE(Address::parse("127.8.8.8", 0)->is_loopback());
  EXPECT_FALSE(Address::parse("0.0.0.0", 0)->is_loopback());
}

TEST(Address, RefusesWhatIsNoAddress) {
  EXPECT_EQ(Address::parse("node.example", 1).error(), "\"node.example\" is not an IPv4 or IPv6 address");
  EXPECT_FALSE(Address::parse("", 1));
  EXPECT_TRUE(Address::unix_path(std::string(107, 'x')));
  EXPECT_FALSE(Address::unix_path(std::string(108, 'x')));
}

TEST(Listen, TheErrorNamesTheCallTheAddressAndWhy) {
  const auto taken = listen_on(Address::parse("127.0.0.1", 0).value(), {.reuse_port = false}).value();
  const Address address = local_address(taken.get()).value();
  const auto again = listen_on(address, {.reuse_port = false});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message(), "bind " + address.text() + ": Address already in use");
}

// A Unix path as left by a process that died: a socket file without a listener.
TEST(Listen, ReplacesAStaleUnixPathAndNothingElse) {
  const std::string path = testing::TempDir() + "fanfare_listen_" + std::to_string(::getpid());
  const Address address = Address::unix_path(path).value();
  listen_on(address).value();
  EXPECT_TRUE(listen_on(address));
  ::unlink(path.c_str());

  std::ofstream(path) << "somebody's";
  const auto refused = listen_on(address);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EADDRINUSE);
  std::string content;
  std::ifstream(path) >> content;
  EXPECT_EQ(content, "somebody's");
  ::unlink(path.c_str());
}

TEST(Listen, AnAddressThatIsSharedIsNotFree) {
  const Address any = Address::parse("127.0.0.1", 0).value();
  EXPECT_TRUE(check_free(any));
  auto taken = listen_on(any).value();
  const Address address = local_address(taken.get()).value();
  EXPECT_TRUE(listen_on(address));  // for another loop of ours
  const auto free = check_free(address);
  ASSERT_FALSE(free);
  EXPECT_EQ(free.error().message(), "bind " + address.text() + ": Address already in use");
  taken = Descriptor();
  EXPECT_TRUE(check_free(address));
}

}  // namespace
}  // namespace fanfare::net
