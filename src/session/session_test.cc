// A session over a transport in memory: no socket is involved.

#include "session/session.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "net/loop.h"
#include "session/memory_transport_for_tests.h"
#include "session/session_table.h"
#include "ws/encode.h"

namespace fanfare::session {
namespace {

using namespace std::chrono_literals;

class NotesEndpoint final : public Endpoint {
 public:
  using Endpoint::Endpoint;
  std::vector<std::string> events;
  bool pauses = false;

 private:
  void on_open(Session& session) override { events.push_back("open " + session.peer()); }
  void on_message(Session& session, const Message& message) override {
    events.emplace_back(as_text(message.payload));
    if (pauses) session.pause();
  }
  void on_drained(Session&) override { events.emplace_back("drained"); }
  void on_close(Session&, const CloseInfo& info) override {
    events.push_back("close " + std::string(name_of(info.cause)) + " " + std::to_string(info.code));
  }
};

struct SomeData final : SessionData {
  explicit SomeData(std::string its_text) : text(std::move(its_text)) {}
  std::string text;
};
struct OtherData final : SessionData {};

// A client's frame with a mask of zeros.
std::string frame(char first, std::string_view payload) {
  std::string bytes{first, static_cast<char>(0x80 | payload.size()), 0, 0, 0, 0};
  return bytes.append(payload);
}

class SessionTest : public testing::Test {
 protected:
  SessionTest() { settings_.ping_interval = 0s; }
  ~SessionTest() override {
    if (session_ == nullptr) return;
    session_->close();
    transport_.detach();
  }

  Session& open(std::unique_ptr<SessionData> data = nullptr) {
    auto session = Session::make(table_, transport_, endpoint_,
                                 {.role = ws::Role::server, .limits = &settings_.limits}, std::move(data));
    session_ = session.get();
    transport_.set_handler(std::move(session));
    session_->open();
    return *session_;
  }
  void detach() {
    transport_.detach();
    session_ = nullptr;
  }
  // Advances the clock by that time, sweep by sweep.
  void pass(Duration time) {
    for (Duration passed{}; passed < time; passed += 100ms) {
      clock_.advance(100ms);
      loop_->run_once(0ms);
    }
  }
  using Events = std::vector<std::string>;

  ManualClock clock_;
  std::unique_ptr<net::Loop> loop_ =
      std::move(net::Loop::create({.kind = net::LoopKind::epoll, .clock = &clock_}).value());
  SessionTable table_{*loop_, 100ms};
  SessionSettings settings_;
  NotesEndpoint endpoint_{settings_};
  MemoryTransport transport_;
  Session* session_ = nullptr;
};

TEST_F(SessionTest, CarriesMessagesBothWaysOverAnyTransport) {
  Session& session = open();
  EXPECT_EQ(table_.find(session.id()), &session);
  transport_.deliver(frame('\x81', "Hello"));
  EXPECT_EQ(endpoint_.events, (Events{"open memory", "Hello"}));
  EXPECT_EQ(session.send_text("Hi"), SendResult::queued);
  EXPECT_EQ(session.send_frame(ws::encode_message(ws::Opcode::text, as_bytes("all"))), SendResult::queued);
  EXPECT_EQ(session.queued_bytes(), 9U);
  EXPECT_EQ(transport_.take(),
            "\x81\x02Hi\x81\x03"
            "all");
  EXPECT_EQ(session.queued_bytes(), 0U);
}

// An input that is one short message takes a way of its own.
TEST_F(SessionTest, AMessageThatIsTheWholeInputCountsLikeEachOther) {
  settings_.frames_per_turn_max = 3;
  settings_.limits.message_bytes_max = 125;
  open();
  transport_.deliver(frame('\x81', ""));
  transport_.deliver(frame('\x82', std::string(125, 'x')));
  transport_.deliver(frame('\x81', "third"));
  const Events first = {"open memory", "", std::string(125, 'x'), "third"};
  EXPECT_EQ(endpoint_.events, first);
  transport_.deliver(frame('\x81', "fourth"));
  EXPECT_EQ(endpoint_.events, first);
  EXPECT_FALSE(transport_.is_reading());
  EXPECT_EQ(table_.counters().turn_shares_spent.value(), 1U);
  loop_->run_once(0ms);
  EXPECT_EQ(endpoint_.events.back(), "fourth");
  EXPECT_EQ(table_.counters().messages_received.value(), 4U);
  EXPECT_EQ(table_.counters().bytes_received.value(), 4U * 6 + 125 + 5 + 6);
}

TEST_F(SessionTest, AMessageThatIsTheWholeInputWaitsWhileThereIsAPause) {
  Session& session = open();
  session.pause();
  transport_.deliver(frame('\x81', "one"));
  EXPECT_EQ(endpoint_.events, (Events{"open memory"}));
  session.resume();
  transport_.deliver(frame('\x81', "two"));
  EXPECT_EQ(endpoint_.events, (Events{"open memory"}));
  loop_->run_once(0ms);
  EXPECT_EQ(endpoint_.events, (Events{"open memory", "one", "two"}));
}

TEST_F(SessionTest, AMessageThatIsTheWholeInputIsJudgedLikeEachOther) {
  const auto code_of = [this](const std::string& input) {
    MemoryTransport transport;
    auto other = Session::make(table_, transport, endpoint_, {.limits = &settings_.limits}, nullptr);
    Session& opened = *other;
    transport.set_handler(std::move(other));
    opened.open();
    transport.deliver(input);
    const std::string answer = transport.take();
    transport.detach();
    return answer.size() < 4
               ? 0
               : static_cast<unsigned char>(answer[2]) << 8U | static_cast<unsigned char>(answer[3]);
  };
  settings_.limits.message_bytes_max = 124;
  EXPECT_EQ(code_of(frame('\x81', std::string(124, 'x'))), 0);
  EXPECT_EQ(code_of(frame('\x81', std::string(125, 'x'))), 1009);
  EXPECT_EQ(code_of(frame('\x81', "\xff")), 1007);
  EXPECT_EQ(code_of(frame('\x83', "reserved")), 1002);
  EXPECT_EQ(code_of(frame('\x80', "continues nothing")), 1002);
  EXPECT_EQ(code_of(frame('\xc1', "not agreed on")), 1002);
}

std::string large_frame(std::string_view payload) {
  const SharedBytes frame = ws::encode_message(ws::Opcode::binary, as_bytes(payload));
  return std::string(as_text(frame.view()));
}

// The header of this one has ten bytes.
TEST_F(SessionTest, ALargeMessageIsWholeWhereverTheSystemStopsTakingIt) {
  Session& session = open();
  std::string payload(300'000, 'x');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i % 251);
  const std::string expected = large_frame(payload);
  for (const std::size_t taken : {0UZ, 1UZ, 9UZ, 10UZ, 11UZ, 4096UZ, expected.size() - 1, expected.size()}) {
    transport_.take_at_once(taken);
    EXPECT_EQ(session.send(ws::Opcode::binary, as_bytes(payload)), SendResult::queued);
    EXPECT_EQ(session.queued_bytes(), expected.size() - taken);
    const std::string at_once = transport_.taken_at_once();
    EXPECT_EQ(at_once.size(), taken);
    EXPECT_EQ(at_once + transport_.take(), expected) << taken;
  }
}

TEST_F(SessionTest, ALargeMessageDoesNotOvertakeOthers) {
  Session& session = open();
  transport_.take_at_once(SIZE_MAX);
  const std::string payload(300'000, 'x');
  session.send_text("Hi");
  session.send(ws::Opcode::binary, as_bytes(payload));
  EXPECT_EQ(transport_.taken_at_once(), "");
  EXPECT_EQ(transport_.take(), "\x81\x02Hi" + large_frame(payload));
  session.send_piece(ws::Opcode::text, as_bytes("a piece"), false);
  transport_.take();
  session.send(ws::Opcode::binary, as_bytes(payload));  // waits for the end of the message in pieces
  EXPECT_EQ(transport_.taken_at_once() + transport_.take(), "");
  session.send_piece(ws::Opcode::text, {}, true);
  EXPECT_EQ(transport_.taken_at_once() + transport_.take(), std::string("\x80\0", 2) + large_frame(payload));
}

TEST_F(SessionTest, ALargeMessageCongestsAlthoughTheSystemHasTakenIt) {
  settings_.outbox_bytes_high = 300'010;
  Session& session = open();
  transport_.take_at_once(SIZE_MAX);
  EXPECT_EQ(session.send(ws::Opcode::binary, as_bytes(std::string(299'999, 'x'))), SendResult::queued);
  EXPECT_FALSE(session.is_congested());
  EXPECT_EQ(session.send(ws::Opcode::binary, as_bytes(std::string(300'000, 'x'))), SendResult::congested);
  EXPECT_TRUE(session.is_congested());
  transport_.take();
  EXPECT_EQ(endpoint_.events.back(), "drained");
}

TEST_F(SessionTest, ASmallMessageWaitsForTheOthersOfItsTurn) {
  Session& session = open();
  transport_.take_at_once(SIZE_MAX);
  session.send(ws::Opcode::binary, as_bytes(std::string(100'000, 'x')));
  EXPECT_EQ(transport_.taken_at_once(), "");
  EXPECT_EQ(session.queued_bytes(), 100'010U);
}

// Each ping waits for its acknowledgement in a sweep, as over a slow network.
TEST_F(SessionTest, ItsOwnPingsDoNotPutOffTheIdleTimeout) {
  settings_.ping_interval = 200ms;
  settings_.idle_timeout = 2s;
  open();
  const auto taken_late = [this](Duration time) {
    std::string all;
    for (Duration passed{}; passed < time; passed += 200ms) {
      pass(200ms);
      const std::string got = transport_.take();
      if (got.starts_with('\x89')) transport_.deliver(frame('\x8a', ""));
      all += got;
    }
    return all;
  };
  EXPECT_EQ(taken_late(1800ms).find('\x88'), std::string::npos);
  EXPECT_NE(taken_late(600ms).find("\x88\x19\x03\xf0"), std::string::npos);  // 1008
}

TEST_F(SessionTest, AfterALongMessageWasTakenThePeerHasTheWholeIdleTimeoutOnce) {
  settings_.ping_interval = 200ms;
  settings_.pong_timeout = 10s;
  settings_.idle_timeout = 2s;
  Session& session = open();
  session.send(ws::Opcode::binary, as_bytes(std::string(5000, 'x')));
  while (session.queued_bytes() > 0) {  // for twice the timeout
    pass(200ms);
    transport_.take(250);
  }
  EXPECT_TRUE(session.is_open());
  const auto answer_pings = [&](Duration time) {
    for (Duration passed{}; passed < time; passed += 200ms) {
      transport_.deliver(frame('\x8a', ""));
      pass(200ms);
      transport_.take();
    }
  };
  answer_pings(1600ms);
  EXPECT_TRUE(session.is_open());
  answer_pings(800ms);
  EXPECT_FALSE(session.is_open());
}

TEST_F(SessionTest, AnswersAPeersCloseAndHalfClosesTheTransport_RFC6455_7_1_1) {
  open();
  transport_.deliver(frame('\x88', "\x03\xe8"));
  EXPECT_EQ(transport_.take(), "\x88\x02\x03\xe8");
  EXPECT_TRUE(transport_.is_half_closed());
  EXPECT_FALSE(transport_.is_closed());
  transport_.end();
  EXPECT_TRUE(transport_.is_closed());
  detach();
  EXPECT_EQ(endpoint_.events, (Events{"open memory", "close peer_closed 1000"}));
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(SessionTest, AViolationIsAnsweredWithItsCode_RFC6455_5_1) {
  open();
  transport_.deliver("\x81\x01x");                                  // not masked
  EXPECT_EQ(transport_.take().substr(0, 4).substr(2), "\x03\xea");  // 1002
  EXPECT_EQ(endpoint_.events.back(), "close rule_broken 1002");
}

TEST_F(SessionTest, APauseStopsTheTransportAndKeepsWhatArrives) {
  Session& session = open();
  endpoint_.pauses = true;
  transport_.deliver(frame('\x81', "one") + frame('\x81', "two"));
  EXPECT_FALSE(transport_.is_reading());
  EXPECT_EQ(endpoint_.events, (Events{"open memory", "one"}));
  endpoint_.pauses = false;
  session.resume();
  EXPECT_EQ(endpoint_.events.size(), 2U);  // not within the call
  loop_->run_once(0ms);
  EXPECT_EQ(endpoint_.events, (Events{"open memory", "one", "two"}));
  EXPECT_TRUE(transport_.is_reading());
}

TEST_F(SessionTest, AnEndDuringAPauseWaitsForCloseTimeout) {
  settings_.close_timeout = 2s;
  Session& session = open();
  session.pause();
  transport_.end_while_paused();
  pass(1s);
  EXPECT_FALSE(transport_.is_closed());
  pass(1500ms);
  EXPECT_TRUE(transport_.is_closed());
  EXPECT_EQ(endpoint_.events.back(), "close connection_lost 1006");
}

// The two may come in one turn.
TEST_F(SessionTest, WhatIsQueuedWhenThePeerHalfClosesIsSent) {
  Session& session = open();
  transport_.deliver(frame('\x81', "asked"));
  session.send_text("answer");
  transport_.end();
  EXPECT_EQ(endpoint_.events.back(), "close connection_lost 1006");
  EXPECT_FALSE(transport_.is_closed());
  EXPECT_TRUE(transport_.is_half_closed());
  EXPECT_EQ(session.send_text("too late"), SendResult::closed);
  EXPECT_EQ(transport_.take(),
            "\x81\x06"
            "answer");
  detach();
}

TEST_F(SessionTest, APeerThatHalfClosesAndReadsNothingIsDroppedAfterCloseTimeout) {
  settings_.close_timeout = 1s;
  Session& session = open();
  session.send_text("answer");
  transport_.end();
  pass(900ms);
  EXPECT_FALSE(transport_.is_closed());
  pass(1s);
  EXPECT_TRUE(transport_.is_closed());
}

TEST_F(SessionTest, ASlowPeerMakesItCongestedAndThenEndsIt) {
  settings_.outbox_bytes_high = 10;
  settings_.outbox_bytes_max = 20;
  Session& session = open();
  EXPECT_EQ(session.send_text("12345678"), SendResult::congested);  // 10 bytes with its header
  EXPECT_TRUE(session.is_congested());
  transport_.take(9);
  EXPECT_EQ(endpoint_.events.back(), "open memory");
  transport_.take(1);
  EXPECT_EQ(endpoint_.events.back(), "drained");
  EXPECT_FALSE(session.is_congested());
  EXPECT_EQ(session.send_text("123456789012345678"), SendResult::congested);  // 20 bytes: at the limit
  EXPECT_EQ(session.send_text("x"), SendResult::closed);
  EXPECT_FALSE(session.is_open());
  EXPECT_EQ(transport_.take().substr(20, 4), (std::string{'\x88', '\x14', '\x03', '\xf5'}));  // 1013
}

TEST_F(SessionTest, NothingIsSentAfterTheTransportWasLostOrClosed) {
  Session& session = open();
  transport_.lose();
  EXPECT_EQ(endpoint_.events.back(), "close connection_lost 1006");
  EXPECT_EQ(session.send_text("x"), SendResult::closed);
  EXPECT_EQ(transport_.take(), "");
}

TEST_F(SessionTest, AClosedSessionSendsNothingAndReportsItsEndOnce) {
  Session& session = open();
  session.close();
  EXPECT_FALSE(session.is_open());
  EXPECT_EQ(session.send_text("x"), SendResult::closed);
  transport_.deliver(frame('\x81', "late"));
  detach();
  EXPECT_EQ(endpoint_.events, (Events{"open memory", "close shut_down 1006"}));
}

TEST_F(SessionTest, AHandlerThatClosesGetsNoFurtherMessageOfTheSameInput) {
  struct Closer final : Endpoint {
    using Endpoint::Endpoint;
    int messages = 0;
    void on_message(Session& closing, const Message&) override {
      ++messages;
      closing.close();
    }
  };
  Closer closer(settings_);
  MemoryTransport transport;
  auto other = Session::make(table_, transport, closer, {.limits = &settings_.limits}, nullptr);
  Session& second = *other;
  transport.set_handler(std::move(other));
  second.open();
  transport.deliver(frame('\x81', "one") + frame('\x81', "two"));
  EXPECT_EQ(closer.messages, 1);
  transport.detach();
}

TEST_F(SessionTest, APeerThatSendsNothingAfterAPingIsDropped) {
  settings_.ping_interval = 1s;
  settings_.pong_timeout = 1s;
  open();
  pass(1100ms);
  EXPECT_EQ(transport_.take(), std::string("\x89\x00", 2));
  pass(500ms);
  transport_.deliver(frame('\x8a', ""));
  pass(700ms);
  EXPECT_FALSE(transport_.is_closed());
  pass(3s);
  EXPECT_TRUE(transport_.is_closed());
  EXPECT_EQ(endpoint_.events.back(), "close pong_timeout 1006");
}

TEST_F(SessionTest, DataOfAnotherTypeThanItWasOpenedWithEndsTheProcess) {
  const Session& session = open(std::make_unique<SomeData>("mine"));
  EXPECT_EQ(session.data<SomeData>().text, "mine");
  EXPECT_DEATH(static_cast<void>(session.data<OtherData>()), "");
}

TEST_F(SessionTest, NoDataIsNotOfAnyType) {
  const Session& session = open();
  EXPECT_DEATH(static_cast<void>(session.data<SomeData>()), "");
}

TEST_F(SessionTest, AnEndpointServesTheSessionsOfOneTable) {
  open();
  SessionTable other(*loop_, 100ms);
  MemoryTransport transport;
  EXPECT_DEATH(static_cast<void>(Session::make(other, transport, endpoint_, {}, nullptr)), "");
}

}  // namespace
}  // namespace fanfare::session
