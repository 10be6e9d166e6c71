// The before_connect handler: called before every attempt, it may change the attempt and may answer later.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using std::chrono::milliseconds;
using Wait = std::optional<milliseconds>;

class BeforeConnect : public testing::TestWithParam<LoopKind> {
 protected:
  void SetUp() override {
    server_.websocket<std::string>(
        "/{place}",
        {.subprotocols = {"v1", "v2"},
         .upgrade = [](const Request& request) -> Expected<std::string, Response> {
           return std::string(request.parameter("place")) + " " +
                  std::string(request.header("authorization").value_or("-"));
         },
         .open =
             [](SessionWith<std::string>& session) {
               session.send(session.data() + " " + std::string(session.subprotocol()));
             },
         .message = [](SessionWith<std::string>& session, const Message&) { session.close(1012); }});
    ASSERT_TRUE(server_.start());
  }

  std::string url(std::string_view slot) const {
    return "ws://127.0.0.1:" + std::to_string(server_.port()) + "/" + std::string(slot);
  }
  ClientOptions options(std::string_view slot = "home") const {
    return {.url = url(slot),
            .reconnect = {.wait_min = milliseconds(1), .wait_max = milliseconds(1)},
            .loop = GetParam()};
  }

  Server server_{ServerOptions{.port = 0, .threads = 1, .loop = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(BothLoops, BeforeConnect, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

// A token that is valid for one connection: each attempt starts from the options and gets a fresh token.
TEST_P(BeforeConnect, EveryAttemptGetsItsOwnHeaders) {
  std::vector<std::string> seen;
  std::vector<bool> reconnects;
  int token = 0;
  Client client(options(), {.before_connect =
                                [&](Client&, ConnectAttempt attempt) {
                                  EXPECT_TRUE(attempt.target.headers.empty());
                                  reconnects.push_back(attempt.is_reconnect());
                                  attempt.target.headers.push_back(
                                      {.name = "Authorization", .value = std::to_string(++token)});
                                  std::move(attempt).connect();
                                },
                            .message =
                                [&](Client& self, const Message& message) {
                                  seen.emplace_back(message.text());
                                  if (seen.size() == 3) return self.close();
                                  self.send("end it");
                                }});
  ASSERT_TRUE(client.start());
  client.run();
  EXPECT_EQ(seen, (std::vector<std::string>{"home 1 ", "home 2 ", "home 3 "}));
  EXPECT_EQ(reconnects, (std::vector<bool>{false, true, true}));
}

TEST_P(BeforeConnect, TheUrlAndTheSubprotocolsMayChangeAndTheAnswerMayComeFromAnotherThread) {
  std::vector<std::string> seen;
  std::vector<std::thread> threads;
  Client client(options(), {.before_connect =
                                [&](Client&, ConnectAttempt attempt) {
                                  threads.emplace_back([this, attempt = std::move(attempt)]() mutable {
                                    attempt.target.url = url("elsewhere");
                                    attempt.target.subprotocols = {"v2"};
                                    std::move(attempt).connect();
                                  });
                                },
                            .message =
                                [&](Client& self, const Message& message) {
                                  seen.emplace_back(message.text());
                                  self.close();
                                }});
  ASSERT_TRUE(client.start());
  client.run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, std::vector<std::string>{"elsewhere - v2"});
}

// "message/reconnects" for each call of the failed handler.
std::vector<std::string> failures_of(ClientOptions options,
                                     std::function<void(Client&, ConnectAttempt)> before_connect) {
  std::vector<std::string> failures;
  Client client(std::move(options), {.before_connect = std::move(before_connect),
                                     .failed = [&](Client&, const Error& error, Wait again) {
                                       EXPECT_EQ(error.kind, Error::Kind::cancelled) << error.message;
                                       failures.push_back(error.message + (again ? "/again" : "/end"));
                                     }});
  EXPECT_TRUE(client.start());
  client.run();
  return failures;
}

TEST_P(BeforeConnect, GivingUpEndsTheClient) {
  EXPECT_EQ(
      failures_of(options(), [](Client&, ConnectAttempt attempt) { std::move(attempt).give_up("no token"); }),
      std::vector<std::string>{"no token/end"});
}

TEST_P(BeforeConnect, RetryLaterFailsTheAttemptAndComesBackAsOptionsSay) {
  ClientOptions limited = options();
  limited.reconnect.attempts_max = 2;
  const auto later = [](Client&, ConnectAttempt attempt) {
    std::move(attempt).retry_later("token server is down");
  };
  EXPECT_EQ(failures_of(limited, later),
            (std::vector<std::string>{"token server is down/again", "token server is down/again",
                                      "token server is down/end"}));
  limited.reconnect.enabled = false;
  EXPECT_EQ(failures_of(limited, later), std::vector<std::string>{"token server is down/end"});
}

TEST_P(BeforeConnect, AnAttemptWithoutAnAnswerOrWithAnExceptionIsGivenUp) {
  const std::vector<std::string> given_up{"the before_connect handler gave no answer/end"};
  EXPECT_EQ(failures_of(options(), [](Client&, const ConnectAttempt&) {}), given_up);
  EXPECT_EQ(failures_of(options(), [](Client&, const ConnectAttempt&) { throw std::runtime_error("hook"); }),
            given_up);
}

TEST_P(BeforeConnect, AUrlThatCannotBeUsedFails) {
  std::optional<Error::Kind> kind;
  Client client(options(), {.before_connect =
                                [](Client&, ConnectAttempt attempt) {
                                  attempt.target.url = "http://no";
                                  std::move(attempt).connect();
                                },
                            .failed =
                                [&](Client&, const Error& error, Wait again) {
                                  kind = error.kind;
                                  EXPECT_FALSE(again);
                                }});
  ASSERT_TRUE(client.start());
  client.run();
  EXPECT_EQ(kind, Error::Kind::bad_option);
}

// close() does not wait for the answer. A late answer is ignored and does not affect the next attempt.
TEST_P(BeforeConnect, AnAnswerAfterCloseIsIgnored) {
  std::mutex mutex;
  std::vector<ConnectAttempt> kept;
  std::promise<void> asked;
  std::vector<std::string> failures;
  std::promise<std::string> received;
  std::atomic<int> rounds{0};
  Client client(options(),
                {.before_connect =
                     [&](Client&, ConnectAttempt attempt) {
                       attempt.target.url = url(++rounds == 1 ? "first" : "second");
                       const std::scoped_lock lock(mutex);
                       kept.push_back(std::move(attempt));
                       if (rounds == 1) return asked.set_value();
                       std::move(kept[0]).connect();
                       std::move(kept[1]).connect();
                     },
                 .message =
                     [&](Client& self, const Message& message) {
                       received.set_value(std::string(message.text()));
                       self.close();
                     },
                 .failed = [&](Client&, const Error& error, Wait) { failures.push_back(error.message); }});
  ASSERT_TRUE(client.start());
  asked.get_future().wait();
  client.close();
  client.run();
  EXPECT_EQ(failures.size(), 1U);
  ASSERT_TRUE(client.start());
  client.run();
  EXPECT_EQ(received.get_future().get(), "second - ");
}

TEST_P(BeforeConnect, TheHandlerMayDestroyItsClientAndAnAttemptMayOutliveIt) {
  std::optional<ConnectAttempt> kept;
  std::unique_ptr<Client> client;
  std::promise<void> gone;
  client = std::make_unique<Client>(options(),
                                    ClientHandlers{.before_connect = [&](Client&, ConnectAttempt attempt) {
                                      kept.emplace(std::move(attempt));
                                      client.reset();
                                      gone.set_value();
                                    }});
  ASSERT_TRUE(client->start());
  gone.get_future().wait();
  std::move(*kept).connect();
  kept.reset();

  std::promise<void> asked;
  {
    Client other(options(), {.before_connect = [&](Client&, ConnectAttempt attempt) {
                   kept.emplace(std::move(attempt));
                   asked.set_value();
                 }});
    ASSERT_TRUE(other.start());
    asked.get_future().wait();
  }
  std::move(*kept).give_up("too late");
}

}  // namespace
}  // namespace fanfare
