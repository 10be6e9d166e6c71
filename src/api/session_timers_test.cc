// The timers of public sessions: they run on their session's loop, and end with the session.

#include "api/session_timers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>

#include "api/border.h"
#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using std::chrono::hours;
using std::chrono::milliseconds;

class SessionTimersTest : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options() const { return {.port = 0, .threads = 1, .loop = GetParam()}; }
};

INSTANTIATE_TEST_SUITE_P(BothLoops, SessionTimersTest, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

TEST_P(SessionTimersTest, RunInTheOrderOfTheirTimesAndNeverWithinTheCall) {
  Server server(options());
  server.websocket("/", {.open = [](Session& session) {
                     session.call_after(milliseconds(30), [](Session& later) { later.send("third"); });
                     session.call_after(milliseconds(0), [](Session& later) { later.send("second"); });
                     session.call_after(milliseconds::min(), [](Session& later) {
                       // Set another timer from the handler.
                       later.call_after(milliseconds(1), [](Session&) {});
                     });
                     session.send("first");
                   }});
  ASSERT_TRUE(server.start());
  const auto begun = std::chrono::steady_clock::now();
  RawClient client(server.port());
  client.upgrade("/");
  EXPECT_EQ(client.receive(), "first");
  EXPECT_EQ(client.receive(), "second");
  EXPECT_EQ(client.receive(), "third");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(30));
}

TEST_P(SessionTimersTest, ATimerIsCancelledOnce) {
  Server server(options());
  server.websocket("/", {.open = [](Session& session) {
                     const SessionTimer timer =
                         session.call_after(milliseconds(1), [](Session& later) { later.send("never"); });
                     EXPECT_TRUE(timer);
                     EXPECT_TRUE(session.cancel(timer));
                     EXPECT_FALSE(session.cancel(timer));
                     EXPECT_FALSE(session.cancel({}));
                     session.call_after(milliseconds(20), [timer](Session& later) {
                       EXPECT_FALSE(later.cancel(timer));
                       later.send("after");
                     });
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  EXPECT_EQ(client.receive(), "after");
}

TEST_P(SessionTimersTest, ASessionHasAsManyAsItsLimitAllows) {
  ServerOptions limited = options();
  limited.limits.timers_per_session_max = 2;
  Server server(limited);
  server.websocket("/", {.open = [](Session& session) {
                     const SessionTimer first = session.call_after(hours(1), [](Session&) {});
                     EXPECT_TRUE(session.call_after(milliseconds::max(), [](Session&) {}));
                     EXPECT_FALSE(session.call_after(hours(1), [](Session&) {}));
                     EXPECT_TRUE(session.cancel(first));
                     EXPECT_TRUE(session.call_after(hours(1), [](Session&) {}));
                     EXPECT_FALSE(session.call_after(hours(1), nullptr));
                     session.send("done");
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  EXPECT_EQ(client.receive(), "done");
}

TEST_P(SessionTimersTest, NoneIsAllowedWhereTheLimitIsZero) {
  ServerOptions limited = options();
  limited.limits.timers_per_session_max = 0;
  Server server(limited);
  server.websocket("/", {.open = [](Session& session) {
                     EXPECT_FALSE(session.call_after(milliseconds(0), [](Session&) {}));
                     session.send("done");
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  EXPECT_EQ(client.receive(), "done");
}

// The handlers' captures are destroyed when the session ends, not when the timer would have been due.
TEST_P(SessionTimersTest, GoWithTheirSession) {
  Server server(options());
  const auto held = std::make_shared<int>(0);
  std::atomic<int> run{0};
  std::promise<void> closed;
  server.websocket("/", {.open =
                             [&](Session& session) {
                               session.call_after(hours(1), [held](Session&) {});
                               session.call_after(hours(2), [&run, held](Session&) { ++run; });
                             },
                         .message =
                             [&](Session& session, const Message&) {
                               session.call_after(milliseconds(0), [&run](Session&) { ++run; });
                               session.close();
                               EXPECT_FALSE(session.call_after(milliseconds(0), [](Session&) {}));
                             },
                         .close =
                             [&](Session& session, const Close&) {
                               EXPECT_FALSE(session.call_after(milliseconds(0), [](Session&) {}));
                               EXPECT_EQ(held.use_count(), 1);
                               closed.set_value();
                             }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  EXPECT_EQ(client.receive(), "close 1000");
  client.send(std::string("\x03\xe8", 2), '\x88');
  closed.get_future().wait();
  EXPECT_EQ(run, 0);
  EXPECT_EQ(held.use_count(), 1);
}

TEST_P(SessionTimersTest, AServerMayStopWithTimersLeft) {
  const auto held = std::make_shared<int>(0);
  {
    Server server(options());
    server.websocket("/", {.open = [held](Session& session) {
                       session.call_after(hours(1), [held](Session&) {});
                       session.send("set");
                     }});
    ASSERT_TRUE(server.start());
    RawClient client(server.port());
    client.upgrade("/");
    EXPECT_EQ(client.receive(), "set");
    server.stop(milliseconds(0));
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST_P(SessionTimersTest, AHandlerThatThrowsEndsItsSession) {
  const std::uint64_t before = api::handler_exceptions();
  Server server(options());
  server.websocket("/", {.open = [](Session& session) {
                     session.call_after(milliseconds(0), [](Session&) { throw std::runtime_error("timer"); });
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  EXPECT_EQ(client.receive(), "close 1011");
  EXPECT_EQ(api::handler_exceptions() - before, 1U);
}

TEST_P(SessionTimersTest, ASessionWithDataGetsItself) {
  Server server(options());
  server.websocket<std::string>("/", {.open = [](SessionWith<std::string>& session) {
                                  session.data() = "mine";
                                  session.call_after(milliseconds(0), [](SessionWith<std::string>& later) {
                                    later.send(later.data());
                                  });
                                }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  EXPECT_EQ(client.receive(), "mine");
}

// Many timers of one session, set and cancelled by their handlers: each runs once, and none is left.
TEST_P(SessionTimersTest, HandlersMaySetAndCancelOthers) {
  Server server(options());
  constexpr int kRounds = 200;
  server.websocket<int>("/", {.open = [](SessionWith<int>& session) {
                          const auto next = [](auto& self, SessionWith<int>& at) -> void {
                            if (++at.data() == kRounds) {
                              at.send("done");
                              return;
                            }
                            const SessionTimer loser = at.call_after(
                                milliseconds(0), [](SessionWith<int>& it) { it.send("wrong"); });
                            at.call_after(milliseconds(0), [self](SessionWith<int>& it) { self(self, it); });
                            EXPECT_TRUE(at.cancel(loser));
                          };
                          session.data() = 0;
                          next(next, session);
                        }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  EXPECT_EQ(client.receive(), "done");
}

}  // namespace
}  // namespace fanfare
