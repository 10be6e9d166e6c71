// The loop's contract, which every implementation must meet.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "net/loop_for_tests.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;

TEST_P(LoopTest, EchoesWhatArrives) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  diary.when_receiving = [](Stream& self, MutableBytes bytes) { self.append(bytes); };
  write_all(peer.get(), "hello");
  run_until([&] { return !diary.received.empty() && diary.stream->queued_bytes() == 0; });
  EXPECT_EQ(read_some(peer.get()), "hello");
}

TEST_P(LoopTest, SendsSharedAndOwnBytesInOrderInOneTurn) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  stream->append(as_bytes("one "));
  stream->push(SharedBytes(as_bytes("two ")));
  stream->append(as_bytes("three"));
  EXPECT_EQ(stream->queued_bytes(), 13U);
  run_until([&] { return diary.stream->queued_bytes() == 0; });
  EXPECT_EQ(read_some(peer.get()), "one two three");
}

TEST_P(LoopTest, TellsThatAllWasSentWhenAskedEvenIfTheKernelTookItAtOnce) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  stream->append(as_bytes("small"));
  stream->notify_when_flushed();
  run_until([&] { return diary.events.size() == 2; });
  EXPECT_EQ(diary.events, (std::vector<std::string>{"attached", "flushed"}));
}

TEST_P(LoopTest, TellsTheEndAfterTheLastBytes) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  write_all(peer.get(), "last");
  ::shutdown(peer.get(), SHUT_WR);
  run_until([&] { return diary.events.size() == 2; });
  EXPECT_EQ(diary.received, "last");
  EXPECT_EQ(diary.events, (std::vector<std::string>{"attached", "end"}));
}

TEST_P(LoopTest, ClosedStreamIsDetachedOnceAndGone) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  stream->close();
  stream->close();
  run_until([&] { return loop_->stream_count() == 0; });
  EXPECT_EQ(diary.events, (std::vector<std::string>{"attached", "detached"}));
  EXPECT_EQ(read_some(peer.get()), "");
}

// As in a process that is forked: it has every descriptor until it runs another program.
TEST_P(LoopTest, ClosedStreamIsForgottenThoughItsSocketIsOpenElsewhere) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  const Descriptor peer(ends[1]);
  const Descriptor elsewhere(::fcntl(ends[0], F_DUPFD_CLOEXEC, 0));
  Diary& diary = new_diary();
  loop_->adopt(std::make_unique<DiaryHandler>(diary), Descriptor(ends[0])).close();
  run_until([&] { return loop_->stream_count() == 0; });
  write_all(peer.get(), "for nobody");
  loop_->run_once(0ms);
  loop_->run_once(0ms);
  EXPECT_EQ(diary.events, (std::vector<std::string>{"attached", "detached"}));
  EXPECT_EQ(diary.received, "");
}

TEST_P(LoopTest, ClosingWhileReceivingIsSafeAndDropsTheReply) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  diary.when_receiving = [](Stream& self, MutableBytes bytes) {
    self.append(bytes);
    self.close();
    self.append(as_bytes("after the end"));
  };
  write_all(peer.get(), "x");
  run_until([&] { return loop_->stream_count() == 0; });
  EXPECT_EQ(read_some(peer.get()), "");
}

// The answer leaves at once or at the end of the turn, and what follows it must not be forgotten.
TEST_P(LoopTest, WhatIsWrittenWhenAnAnswerIsSentIsSentAsWell) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  std::string got;
  diary.when_receiving = [](Stream& self, MutableBytes bytes) {
    self.notify_when_flushed();
    self.append(bytes);
  };
  diary.when_flushed = [](Stream& self) { self.append(as_bytes(", sent. ")); };
  ASSERT_EQ(::fcntl(peer.get(), F_SETFL, O_NONBLOCK), 0);
  for (const std::string expected : {"one, sent. ", "one, sent. two, sent. "}) {
    write_all(peer.get(), got.empty() ? "one" : "two");
    run_until([&] {
      got += read_some(peer.get());
      return got.size() >= expected.size();
    });
    EXPECT_EQ(got, expected);
  }
}

TEST_P(LoopTest, FinishWritingSendsEverythingFirst) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  const std::string big(3'000'000, 'b');
  stream->push(SharedBytes(as_bytes(big)));
  stream->finish_writing();
  stream->append(as_bytes("too late"));
  std::string got;
  std::thread reader([&, fd = peer.get()] {
    for (std::string piece = read_some(fd); !piece.empty(); piece = read_some(fd)) got += piece;
    write_all(fd, "bye");
    ::shutdown(fd, SHUT_WR);
  });
  run_until([&] { return diary.events.back() == "end"; });
  reader.join();
  EXPECT_EQ(got.size(), big.size());
  EXPECT_EQ(diary.received, "bye");
}

TEST_P(LoopTest, NothingIsSentBehindTheEndOnAQuietStream) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  diary.when_receiving = [](Stream& self, MutableBytes bytes) { self.append(bytes); };
  write_all(peer.get(), "answered");
  run_until([&] { return !diary.received.empty() && stream->queued_bytes() == 0; });
  EXPECT_EQ(read_some(peer.get()), "answered");
  stream->finish_writing();
  stream->append(as_bytes("too late"));
  EXPECT_EQ(stream->queued_bytes(), 0U);
  run_until([&] { return stream->is_delivered(); });
  EXPECT_EQ(read_some(peer.get()), "");
  EXPECT_EQ(diary.events, (std::vector<std::string>{"attached"}));
}

// A packet less, and the peer wakes once: what is sent last waits for the FIN.
TEST_P(LoopTest, WhatIsSentLastLeavesInOnePacketWithTheEnd) {
  auto listening = listen_on(Address::parse("127.0.0.1", 0).value()).value();
  const Descriptor peer(::socket(AF_INET, SOCK_STREAM, 0));
  const Address address = local_address(listening.get()).value();
  ASSERT_EQ(::connect(peer.get(), address.data(), address.size()), 0);
  Diary& diary = new_diary();
  Stream& stream = loop_->adopt(std::make_unique<DiaryHandler>(diary),
                                Descriptor(::accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK)));
  const auto packets = [&] {
    tcp_info info{};
    socklen_t size = sizeof(info);
    EXPECT_EQ(::getsockopt(peer.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_segs_in;
  };
  const auto before = packets();
  stream.append(as_bytes("the last"));
  stream.finish_writing();
  run_until([&] { return stream.is_delivered(); });
  EXPECT_EQ(read_some(peer.get()), "the last");
  EXPECT_EQ(read_some(peer.get()), "");
  EXPECT_EQ(packets() - before, 1U);
}

TEST_P(LoopTest, PeerThatDoesNotReadIsWaitedForAndTheStreamToldWhenItDid) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  const std::string big(2'000'000, 'b');
  stream->append(as_bytes("small "));
  stream->push(SharedBytes(as_bytes(big)));
  loop_->run_once(0ms);
  loop_->run_once(0ms);
  EXPECT_GT(stream->queued_bytes(), 0U);
  std::size_t got = 0;
  std::thread reader([&, fd = peer.get()] {
    while (got < big.size() + 6) got += read_some(fd).size();
  });
  run_until([&] { return diary.events.back() == "flushed"; });
  reader.join();
  EXPECT_EQ(got, big.size() + 6);
  EXPECT_EQ(stream->queued_bytes(), 0U);
}

// The kernel accepts up to 2 GiB at once; the limit here is much lower.
TEST_P(LoopTest, BufferLargerThanOneSendArrivesWhole) {
  loop_ = std::move(Loop::create({.kind = GetParam(), .send_bytes_max = 1000}).value());
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  std::string sent;
  for (int i = 0; sent.size() < 300'000; ++i) sent += std::to_string(i);
  stream->append(as_bytes("before "));
  stream->push(SharedBytes(as_bytes(sent)));
  stream->append(as_bytes(" after"));
  stream->finish_writing();
  std::string got;
  std::thread reader([&, fd = peer.get()] {
    for (std::string piece = read_some(fd); !piece.empty(); piece = read_some(fd)) got += piece;
    ::shutdown(fd, SHUT_WR);
  });
  run_until([&] { return diary.events.back() == "detached" || diary.events.back() == "end"; });
  reader.join();
  EXPECT_TRUE(got == "before " + sent + " after") << got.size();
}

TEST_P(LoopTest, LongestDelayNeverComes) {
  bool never = false;
  loop_->call_after(Duration::max(), [&] { never = true; });
  loop_->call_at(Instant::max(), [&] { never = true; });
  bool now = false;
  loop_->call_after(Duration::min(), [&] { now = true; });
  run_until([&] { return now; });
  loop_->run_once(0ms);
  EXPECT_FALSE(never);
}

TEST_P(LoopTest, LostConnectionIsToldOnce) {
  Diary& diary = new_diary();
  auto listening = listen_on(Address::parse("127.0.0.1", 0).value()).value();
  const Address address = local_address(listening.get()).value();
  loop_->listen(std::move(listening), [&](Descriptor descriptor) {
    loop_->adopt(std::make_unique<DiaryHandler>(diary), std::move(descriptor));
  });
  {
    const Descriptor peer(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(peer.get(), address.data(), address.size()), 0);
    run_until([&] { return diary.stream != nullptr; });
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  run_until([&] { return loop_->stream_count() == 0; });
  EXPECT_EQ(diary.events, (std::vector<std::string>{"attached", "lost", "detached"}));
}

TEST_P(LoopTest, ConnectsAndTellsWhenNobodyListens) {
  Diary& server = new_diary();
  auto listening = listen_on(Address::parse("127.0.0.1", 0).value()).value();
  const Address address = local_address(listening.get()).value();
  const ListenerId id = loop_->listen(std::move(listening), [&](Descriptor descriptor) {
    loop_->adopt(std::make_unique<DiaryHandler>(server), std::move(descriptor));
  });
  Diary& client = new_diary();
  loop_->adopt_connecting(std::make_unique<DiaryHandler>(client), start_connect(address).value());
  client.stream->append(as_bytes("queued before it was connected"));
  run_until([&] { return !server.received.empty(); });
  EXPECT_EQ(client.events.front(), "attached");
  EXPECT_EQ(server.received, "queued before it was connected");

  loop_->stop_listening(id, LateConnections::dropped);  // immediately, without another turn
  Diary& refused = new_diary();
  auto connecting = start_connect(address);
  if (connecting) {
    loop_->adopt_connecting(std::make_unique<DiaryHandler>(refused), std::move(*connecting));
    run_until([&] { return !refused.events.empty() && refused.events.back() == "detached"; });
    EXPECT_EQ(refused.events, (std::vector<std::string>{"lost", "detached"}));
  } else {
    EXPECT_EQ(connecting.error().code, ECONNREFUSED);
  }
}

// The kernel drops connection requests while two are waiting to be accepted; the client repeats its request a
// second later.
TEST_P(LoopTest, WhatWasQueuedInAnEarlierTurnIsSentWhenTheConnectionStands) {
  const Descriptor listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address any = Address::parse("127.0.0.1", 0).value();
  ASSERT_EQ(::bind(listening.get(), any.data(), any.size()), 0);
  ASSERT_EQ(::listen(listening.get(), 0), 0);
  const Address address = local_address(listening.get()).value();
  const Descriptor first = start_connect(address).value();
  Diary& diary = new_diary();
  loop_->adopt_connecting(std::make_unique<DiaryHandler>(diary), start_connect(address).value());
  diary.stream->append(as_bytes("queued"));
  for (int turn = 0; turn < 5; ++turn) loop_->run_once(0ms);
  EXPECT_EQ(diary.events, std::vector<std::string>{});
  const Descriptor accepted(::accept(listening.get(), nullptr, nullptr));
  run_until([&] { return !diary.events.empty(); });
  const Descriptor peer(::accept(listening.get(), nullptr, nullptr));
  run_until([&] { return diary.stream->queued_bytes() == 0; });
  EXPECT_EQ(read_some(peer.get()), "queued");
}

TEST_P(LoopTest, TimersRunInOrderAndCancelledOnesDoNot) {
  std::string order;
  loop_->call_after(3ms, [&] { order += 'b'; });
  loop_->call_after(1ms, [&] { order += 'a'; });
  const TimerId gone = loop_->call_after(2ms, [&] { order += 'x'; });
  loop_->call_after(4ms, [&] { order += 'c'; });
  EXPECT_TRUE(loop_->cancel(gone));
  EXPECT_FALSE(loop_->cancel(gone));
  run_until([&] { return order.size() == 3; });
  EXPECT_EQ(order, "abc");
}

TEST_P(LoopTest, PostedTasksOfEachThreadRunInOrder) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 500;
  std::array<std::vector<int>, kThreads> seen;
  int done = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        loop_->post([&, t, i] {
          seen[static_cast<std::size_t>(t)].push_back(i);
          if (++done == kThreads * kTasks) loop_->stop();
        });
      }
    });
  }
  loop_->run();
  for (auto& thread : threads) thread.join();
  for (const auto& numbers : seen) {
    ASSERT_EQ(numbers.size(), static_cast<std::size_t>(kTasks));
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

TEST_P(LoopTest, StreamsStillAttachedAreDetachedWithTheLoop) {
  Diary& one = new_diary();
  Diary& two = new_diary();
  auto [first, first_peer] = connect_pair(one);
  auto [second, second_peer] = connect_pair(two);
  second->append(as_bytes("never sent"));
  loop_.reset();
  EXPECT_EQ(one.events.back(), "detached");
  EXPECT_EQ(two.events.back(), "detached");
}

// More data at once than the io_uring loop initially has buffers for, and again after it was idle. Streams
// without a buffer must wait, and none may get another stream's bytes.
TEST_P(LoopTest, MoreArrivesInATurnThanThereAreBuffersFor) {
  constexpr std::size_t kStreams = 64;
  constexpr std::size_t kBytesEach = 96 * 1024;
  loop_ = std::move(Loop::create({.kind = GetParam(), .clock = &clock_}).value());
  std::vector<Descriptor> peers;
  for (std::size_t i = 0; i < kStreams; ++i) peers.push_back(connect_pair(new_diary()).second);
  for (int round = 0; round < 4; ++round) {
    for (std::size_t i = 0; i < kStreams; ++i) {
      diaries_[i].received.clear();
      write_all(peers[i].get(), std::string(kBytesEach, static_cast<char>('0' + i)));
    }
    const auto has_all = [](const Diary& diary) { return diary.received.size() >= kBytesEach; };
    run_until([&] { return std::ranges::all_of(diaries_, has_all); });
    for (std::size_t i = 0; i < kStreams; ++i) {
      EXPECT_EQ(diaries_[i].received, std::string(kBytesEach, static_cast<char>('0' + i))) << i;
    }
    if (round > 0) clock_.advance(11s);
  }
}

TEST_P(LoopTest, ManyStreamsEchoAtOnce) {
  echo_at_once(200);
}

TEST_P(LoopTest, MoreStreamsThanItWasMadeForAreServedAllTheSame) {
  loop_ = std::move(Loop::create({.kind = GetParam(), .streams_max = 1}).value());
  echo_at_once(500);
}

INSTANTIATE_TEST_SUITE_P(Kinds, LoopTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare::net
