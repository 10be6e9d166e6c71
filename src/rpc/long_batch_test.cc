// Long batches over both transports and on both loops: in slices, with the answers that they would have at once. The clock
// stands still, so a slice ends by its number of steps.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rpc/long_batch_for_tests.h"
#include "rpc/registered_methods.h"

namespace fanfare::rpc {
namespace {

using namespace batch_tests;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

INSTANTIATE_TEST_SUITE_P(Loops, LongBatchTest, testing::Values(net::LoopKind::uring, net::LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

// The second may change between two answers.
std::string without_date(const std::string& answer) {
  const std::size_t at = answer.find("\r\nDate: ");
  EXPECT_NE(at, std::string::npos) << answer;
  return at == std::string::npos ? answer : answer.substr(0, at) + answer.substr(answer.find("\r\n", at + 2));
}

TEST_P(LongBatchTest, ItYieldsBetweenItsSlices) {
  start();
  const net::Descriptor peer = open();
  const net::Descriptor other = open();
  write_all(peer, frame_of(calls(kMany)));
  ASSERT_TRUE(run_until([&] { return methods_.begun > 0; }));
  // Another client has its turn long before the end.
  const std::size_t before = methods_.begun;
  EXPECT_EQ(ask(other, call_of("other", "7")), result_of("7"));
  EXPECT_LE(methods_.begun, before + 10 * kCallsASlice);
  EXPECT_EQ(answer_of(peer), batch_of(kMany, [](const std::string& id) { return result_of(id); }));
  EXPECT_EQ(methods_.begun, kMany + 1);
  EXPECT_LE(methods_.most_in_a_turn(), kCallsASlice + 1);
  EXPECT_GE(methods_.begun_in_turn.size(), kMany / kCallsASlice);
  // Its connection goes on.
  EXPECT_EQ(ask(peer, call_of("echo", "8")), result_of("8"));
}

TEST_P(LongBatchTest, OverHttpItYieldsAsWell) {
  start();
  const net::Descriptor peer = connect();
  const net::Descriptor other = open();
  write_all(peer, post_of(calls(kMany)));
  ASSERT_TRUE(run_until([&] { return methods_.begun > 0; }));
  const std::size_t before = methods_.begun;
  EXPECT_EQ(ask(other, call_of("other", "7")), result_of("7"));
  EXPECT_LE(methods_.begun, before + 10 * kCallsASlice);
  // A pipelined request waits for its answer.
  write_all(peer, post_of(call_of("other", "8")));
  const std::string expected = batch_of(kMany, [](const std::string& id) { return result_of(id); });
  std::string received;
  EXPECT_TRUE(run_until([&] { return (received += read_now(peer)).ends_with(result_of("8")); }));
  EXPECT_THAT(received, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(received.contains("\r\n\r\n" + expected + "HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(methods_.texts, ElementsAre("7", "8"));
  EXPECT_LE(methods_.most_in_a_turn(), kCallsASlice + 1);
}

TEST_P(LongBatchTest, LongBatchesTakeTurns) {
  start();
  std::vector<net::Descriptor> peers;
  for (int i = 0; i < 4; ++i) peers.push_back(open());
  const std::string frame = frame_of(calls(10'000));
  for (const net::Descriptor& peer : peers) write_all(peer, frame);
  for (const net::Descriptor& peer : peers)
    EXPECT_THAT(answer_of(peer), StartsWith(R"([{"jsonrpc":"2.0","id":0,)"));
  EXPECT_EQ(methods_.begun, 40'000U);
  // One slice a turn for all, and the first one of each.
  EXPECT_LE(methods_.most_in_a_turn(), 2 * kCallsASlice);
}

TEST_P(LongBatchTest, ItIsAnsweredAsAShortOne) {
  start({.batch_items_max = 8, .version_1 = true});
  const net::Descriptor peer = open();
  const net::Descriptor http = connect();
  const std::string texts[] = {
      "[" + call_of("echo", "1") + "]",
      "[" + call_of("echo", "1") + "," + call_of("refused", "2") + R"(, 1, {"method":"echo","id":"v1"}])",
      "[" + call_of("refused", "1") + "," + call_of("refused", "\"x\"") + "]",
      R"([{"jsonrpc":"2.0","method":"echo"},{"jsonrpc":"2.0","id":null,"method":"\u0065cho"}])",
      R"([{"jsonrpc":"2.0","method":"echo"},)" + call_of("known", "3") + "]",
      "[" + call_of("echo", "1") + ",]",
      "[" + call_of("echo", "1") + "] x",
      "[",
      "[]",
      "[1,2,3,4,5,6,7,8]",
      "[1,2,3,4,5,6,7,8,9]",
  };
  for (const std::string& text : texts) {
    const std::size_t before = methods_.begun;
    const std::string short_one = ask(peer, text);
    const std::size_t begun = methods_.begun - before;
    EXPECT_EQ(ask(peer, padded(text)), short_one) << text;
    EXPECT_EQ(methods_.begun, before + 2 * begun) << text;
    EXPECT_EQ(without_date(post(http, padded(text))), without_date(post(http, text))) << text;
    EXPECT_EQ(methods_.begun, before + 4 * begun) << text;
    EXPECT_THAT(post(http, text), HasSubstr(short_one)) << text;
  }
  // Only notifications: no answer.
  write_all(peer, frame_of(padded(R"([{"jsonrpc":"2.0","method":"echo"}])")));
  EXPECT_EQ(ask(peer, call_of("echo", "9")), result_of("9"));
}

TEST_P(LongBatchTest, NoneOfItsCallsBeginsIfItIsInvalid) {
  start();
  const net::Descriptor peer = open();
  const std::string fine = calls(kMany);
  EXPECT_EQ(ask(peer, fine.substr(0, fine.size() - 1) + "x]"),
            R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}})");
  EXPECT_EQ(methods_.begun, 0U);
  clock_.advance(std::chrono::seconds(10));
  EXPECT_EQ(
      ask(peer, fine.substr(0, fine.size() - 1) + "," + call_of("echo", "0") + "]"),
      R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request: batch too large"}})");
  EXPECT_EQ(methods_.begun, 0U);
}

TEST_P(LongBatchTest, OneThatIsRefusedUnreadIsAnsweredOnceAndTheNextMessageIsRead) {
  start();
  const net::Descriptor peer = open();
  Refusal refusal = limit_reached("batches", std::chrono::seconds(1));
  refusal.is_overload = true;
  server_->sessions().for_each_session([&](session::Session& session) {
    service_->refuse_message(RpcEndpoint::connection_of(session), calls(1000), refusal);
  });
  EXPECT_EQ(
      answer_of(peer),
      R"({"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"too many batches, try again later","data":{"retry_after_ms":1000}}})");
  EXPECT_EQ(methods_.begun, 0U);
  EXPECT_EQ(ask(peer, call_of("echo", "1")), result_of("1"));
}

TEST_P(LongBatchTest, WhatComesBehindItWaits) {
  start();
  const net::Descriptor peer = open();
  write_all(peer, frame_of(call_of("open", "\"before\"")));
  ASSERT_TRUE(run_until([&] { return methods_.open.size() == 1; }));
  write_all(peer, frame_of(calls(kMany)) + frame_of(call_of("other", "\"behind\"")));
  ASSERT_TRUE(run_until([&] { return methods_.begun > 1; }));
  // An earlier call is answered meanwhile.
  auto [message, done] = std::move(methods_.open.front());
  message.calls.front().answer = result_of("\"before\"");
  done(complete(std::move(message)));
  EXPECT_EQ(answer_of(peer), result_of("\"before\""));
  EXPECT_EQ(service_->in_slices(), 1U);
  EXPECT_THAT(methods_.texts, ElementsAre("\"before\""));
  std::string received;
  EXPECT_TRUE(run_until([&] { return (received += read_now(peer)).ends_with(result_of("\"behind\"")); }));
  EXPECT_THAT(methods_.texts, ElementsAre("\"before\"", "\"behind\""));
  EXPECT_EQ(methods_.begun, kMany + 2);
}

TEST_P(LongBatchTest, ItEndsWithItsConnection) {
  start();
  for (const bool over_http : {false, true}) {
    net::Descriptor peer = over_http ? connect() : open();
    const std::size_t before = methods_.begun;
    const std::string text = calls(kMany);
    write_all(peer, over_http ? post_of(text) : frame_of(text));
    ASSERT_TRUE(run_until([&] { return methods_.begun > before; }));
    EXPECT_GE(budget_.used(), text.size());
    // Nothing is read from it now: only a reset shows that the client is gone.
    if (over_http) {
      peer = {};
    } else {
      server_->sessions().for_each_session([](session::Session& session) { session.close(); });
    }
    run_until_done();
    EXPECT_TRUE(over_http || methods_.begun < before + kMany);
    EXPECT_TRUE(run_until([&] { return budget_.used() == 0; }));
  }
}

TEST_P(LongBatchTest, ItEndsWhenTheServerStops) {
  start();
  const net::Descriptor peer = open();
  write_all(peer, frame_of(calls(kMany)));
  ASSERT_TRUE(run_until([&] { return methods_.begun > 0; }));
  server_->drain(1001, "stopping");
  run_until_done();
  EXPECT_LT(methods_.begun, kMany);
  EXPECT_EQ(budget_.used(), 0U);
  EXPECT_THAT(read_until(peer, "stopping"), HasSubstr("stopping"));
}

TEST_P(LongBatchTest, ItCountsForItsClientsMemoryFromTheFirstSliceOn) {
  const std::string text = calls(2000);
  start({.batch_items_max = kMany, .held_bytes_per_connection_max = text.size() - 1});
  const net::Descriptor peer = open();
  const std::string answer = ask(peer, text);
  EXPECT_THAT(answer, HasSubstr("too much is under way"));
  EXPECT_THAT(answer, Not(HasSubstr("result")));
  EXPECT_EQ(methods_.begun, 0U);
  EXPECT_TRUE(run_until([&] { return budget_.used() == 0; }));
}

TEST_P(LongBatchTest, ItsAnswerHasTheLimitOfBatches) {
  start({.batch_items_max = kMany, .batch_answer_bytes_max = 2000 * result_of("1000").size()});
  const net::Descriptor peer = open();
  const std::string answer = ask(peer, calls(4000));
  EXPECT_THAT(answer, HasSubstr(result_of("2000")));
  EXPECT_THAT(
      answer,
      HasSubstr(R"({"jsonrpc":"2.0","id":3999,"error":{"code":-32003,"message":"response too large"}})"));
  EXPECT_TRUE(run_until([&] { return budget_.used() == 0; }));
}

TEST_P(LongBatchTest, CredentialsThatChangeWithinItCountForTheCallsBehind) {
  start();
  const net::Descriptor peer = open();
  const std::string text = batch_of(3000, [](const std::string& id) {
    return call_of(id == "1500" ? "become_known" : id == "0" || id == "2999" ? "known" : "echo", id);
  });
  const std::string answer = ask(peer, text);
  EXPECT_THAT(answer, StartsWith(R"([{"jsonrpc":"2.0","id":0,"error":{"code":-32001,"message":"no"}},)"));
  EXPECT_THAT(answer, HasSubstr(result_of("2999") + "]"));
}

TEST_P(LongBatchTest, ManyOpenCallsAreAnsweredInSlicesToo) {
  start();
  const net::Descriptor peer = open();
  write_all(peer, frame_of(batch_of(5000, [](const std::string& id) { return call_of("open", id); })));
  ASSERT_TRUE(run_until([&] { return methods_.open.size() == 1; }));
  auto [message, done] = std::move(methods_.open.front());
  for (Call& call : message.calls) call.answer = result_of(call.id);
  done(complete_on_loop(std::move(message)));
  EXPECT_EQ(service_->in_slices(), 1U);
  EXPECT_EQ(answer_of(peer), batch_of(5000, [](const std::string& id) { return result_of(id); }));
}

TEST_P(LongBatchTest, ASenderOfRefusedTextsRests) {
  start({.batch_items_max = 1000});
  const net::Descriptor peer = open();
  const net::Descriptor http = connect();
  const auto refused = [](std::size_t bytes) { return std::string(bytes - 1, ' ') + "x"; };
  const Duration wait =
      Duration(std::chrono::seconds(1)) * (std::size_t{1} << 20) / CallReader::kRefusedBytesPerSecond;
  ASSERT_EQ(wait, std::chrono::milliseconds(250));
  // Below the limit, nobody waits.
  EXPECT_THAT(ask(peer, refused(CallReader::kRefusedBytesFree - 1)), HasSubstr("-32700"));
  EXPECT_EQ(ask(peer, call_of("echo", "1")), result_of("1"));
  // Above it, the answer comes at once; the next message is not read. Over HTTP the answer comes later.
  EXPECT_THAT(ask(peer, refused(std::size_t{1} << 20)), HasSubstr("-32700"));
  write_all(peer, frame_of(call_of("other", "2")));
  write_all(http, post_of(refused(std::size_t{1} << 20)));
  for (int turn = 0; turn < 100; ++turn) loop_->run_once(Duration::zero());
  EXPECT_THAT(methods_.texts, ElementsAre());
  EXPECT_EQ(read_now(http), "");
  clock_.advance(wait - std::chrono::milliseconds(1));
  for (int turn = 0; turn < 100; ++turn) loop_->run_once(Duration::zero());
  EXPECT_THAT(methods_.texts, ElementsAre());
  EXPECT_EQ(read_now(http), "");
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(answer_of(peer), result_of("2"));
  EXPECT_THAT(http_answer_of(http), HasSubstr("-32700"));
}

TEST_P(LongBatchTest, ASenderRestsForTheRefusedPartOnly) {
  start();
  const net::Descriptor peer = open();
  // A quarter of 4 MiB.
  const std::string padding(4000, ' ');
  const auto some = [&](std::size_t refused) {
    return batch_of(1000, [&](const std::string& id) {
      return padding + call_of(std::stoul(id) < refused ? "refused" : "echo", id);
    });
  };
  EXPECT_THAT(ask(peer, some(0)), HasSubstr(result_of("999")));
  EXPECT_EQ(ask(peer, call_of("other", "1")), result_of("1"));
  EXPECT_THAT(ask(peer, some(250)), HasSubstr(result_of("999")));
  write_all(peer, frame_of(call_of("other", "2")));
  for (int turn = 0; turn < 100; ++turn) loop_->run_once(Duration::zero());
  EXPECT_THAT(methods_.texts, ElementsAre("1"));
  clock_.advance(std::chrono::milliseconds(260));
  EXPECT_EQ(answer_of(peer), result_of("2"));
}

// A program's methods that answer later: their handlers start in slices.
TEST_P(LongBatchTest, OpenCallsOfAProgramStartInSlices) {
  Registry registry({.batch_items_max = kMany});
  std::map<std::uint32_t, std::size_t> started;
  ASSERT_TRUE(registry.add({.name = "later",
                            .about = {},
                            .parameters = {},
                            .result_schema = "true",
                            .answers_later = true,
                            .bind = [&](Arguments) -> Expected<BoundCall, RpcError> {
                              return BoundCall([&](const RpcCall&, RpcAnswer answer) {
                                ++started[loop_->turn_number()];
                                std::move(answer).send("true");
                              });
                            }}));
  static fanfare::Session* const no_handle = nullptr;
  RegisteredMethods methods(
      {.registry = registry,
       .server = *server_,
       .post = std::make_shared<const OpenMessage::Post>(
           [&](session::SessionId, UniqueFunction<void()> task) { loop_->post(std::move(task)); }),
       .handle_of = [](session::Session&) -> fanfare::Session& { return *no_handle; },
       .connection_of = &RpcEndpoint::connection_of,
       .guard =
           [](std::string_view, const std::function<void()>& handler) {
             handler();
             return true;
           }});
  Service service({.batch_items_max = kMany}, {.methods = methods,
                                               .observer = observer_,
                                               .server = *server_,
                                               .budget = budget_,
                                               .connection_of = &RpcEndpoint::connection_of});
  endpoint_.service = &service;
  const net::Descriptor peer = connect();
  const std::string answer =
      post(peer, batch_of(10'000, [](const std::string& id) { return call_of("later", id); }));
  EXPECT_THAT(answer,
              HasSubstr("\r\n\r\n" + batch_of(10'000, [](const std::string& id) { return result_of(id); })));
  std::size_t most = 0;
  for (const auto& [turn, count] : started) most = std::max(most, count);
  EXPECT_LE(most, 2 * Slice::kStepsMax);
  server_->close_all();
}

}  // namespace
}  // namespace fanfare::rpc
