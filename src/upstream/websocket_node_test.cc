// A node behind WebSocket: many calls over one connection, its notifications, and its coming and going.

#include "upstream/websocket_node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/node_server_for_tests.h"
#include "upstream/test_calls.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::Diary;
using testing::expect_failure;
using testing::kRead;
using testing::NodeServer;
using testing::TestServer;

struct WebSocketEndpointTest : ::testing::Test {
  Diary diary;  // outlives all objects that write to it
  Worker worker;
  std::unique_ptr<WebSocketNode> endpoint;

  void open(const std::string& url, Duration timeout = 30s) {
    endpoint = std::make_unique<WebSocketNode>(worker, WebSocketOptions{.url = url, .timeout = timeout});
  }
  void watch() {
    worker.run([this] {
      endpoint->set_watcher(
          {.changed =
               [this](NodeTopic topic, bool live) {
                 diary.write(std::string(topic == NodeTopic::new_heads ? "heads" : "pending") +
                             (live ? " live" : " lost"));
               },
           .event = [this](NodeTopic, std::string_view result) { diary.write(std::string(result)); }});
      endpoint->watch(NodeTopic::new_heads, true);
    });
  }
  // Repeats until the endpoint has noticed that the node is back.
  Result ask_until_answered(const std::string& body) {
    Result result = ask(worker, *endpoint, body, kRead);
    while (!result && result.error().kind == FailureKind::connect)
      result = ask(worker, *endpoint, body, kRead);
    return result;
  }
};

// Of an answer, and of a notification.
TEST_F(WebSocketEndpointTest, ALoneSurrogateIsReplaced_RFC8259_8_2) {
  NodeServer node([](session::Session& session, std::string_view text) {
    if (jsonrpc::member(text, "method") == R"("eth_subscribe")") {
      NodeServer::answer(session, text, R"("0x1")");
      session.send_text(
          R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":{"name":"\ud800"}}})");
      return;
    }
    NodeServer::answer(session, text, R"(["\udc00\ud83d\ude00",1.50])");
  });
  open(node.url());
  watch();
  const Result result = ask(worker, *endpoint, R"({"jsonrpc":"2.0","id":1,"method":"m"})", kRead);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->body, R"({"jsonrpc":"2.0","id":1,"result":["\ufffd\ud83d\ude00",1.50]})");
  EXPECT_TRUE(diary.wait_for(R"({"name":"\ufffd"})"));
}

TEST_F(WebSocketEndpointTest, CallsOfManyShareOneConnectionAndKeepTheirIds) {
  std::vector<std::string> asked;
  NodeServer node([&](session::Session& session, std::string_view text) {
    asked.emplace_back(text);
    if (asked.size() < 3) return;
    // In another order than they came, each matched by its content.
    for (const std::string& one : {asked[2], asked[0], asked[1]}) {
      NodeServer::answer(session, one, std::string(*jsonrpc::member(one, "method")));
    }
  });
  open(node.url());
  std::vector<std::future<Result>> results;
  const std::string ids[] = {"0", "0", "\"x\""};
  const std::string methods[] = {"a", "b", "c"};
  for (int i = 0; i < 3; ++i) {
    auto promise = std::make_shared<std::promise<Result>>();
    results.push_back(promise->get_future());
    worker.post([&, i, promise] {
      endpoint->call(R"({"jsonrpc":"2.0","id":)" + ids[i] + R"(,"method":")" + methods[i] + "\"}", kRead,
                     [promise](Result result) { promise->set_value(std::move(result)); });
    });
  }
  for (int i = 0; i < 3; ++i) {
    const Result result = results[i].get();
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->body, R"({"jsonrpc":"2.0","id":)" + ids[i] + R"(,"result":")" + methods[i] + "\"}");
  }
  EXPECT_EQ(node.connections(), 1);
}

TEST_F(WebSocketEndpointTest, ABatchGoesInPiecesAndComesBackWhole) {
  NodeServer node([](session::Session& session, std::string_view text) {
    if (text.contains("\"id\"")) NodeServer::answer(session, text, "true");
  });
  open(node.url());
  const auto request = [](const std::string& id, const char* method) {
    std::string text;
    if (id.empty()) {
      text = R"({"jsonrpc":"2.0","method":")" + std::string(method) + R"("})";
    } else {
      jsonrpc::append_request(text, id, method, "");
    }
    return text;
  };
  const Result result =
      ask(worker, *endpoint,
          "[" + request("7", "a") + "," + request("", "b") + "," + request("\"7\"", "c") + "]", kRead);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->body,
            R"([{"jsonrpc":"2.0","id":7,"result":true},{"jsonrpc":"2.0","id":"7","result":true}])");
  EXPECT_TRUE(ask(worker, *endpoint, request("", "b"), kRead).has_value());
}

TEST_F(WebSocketEndpointTest, NobodyThereIsAFailureThatWasNotSent) {
  open("ws://127.0.0.1:" + std::to_string(TestServer::closed_port()));
  for (int i = 0; i < 2; ++i) {
    const Result result = ask(worker, *endpoint, R"({"id":1,"method":"a"})", kRead);
    expect_failure(result, FailureKind::connect);
    EXPECT_FALSE(result.error().sent);
  }
}

TEST_F(WebSocketEndpointTest, SilenceEndsInTime) {
  NodeServer node([](session::Session&, std::string_view) {});
  open(node.url(), 50ms);
  Result result = ask(worker, *endpoint, R"({"id":1,"method":"a"})", kRead);
  expect_failure(result, FailureKind::timeout);
}

TEST_F(WebSocketEndpointTest, ALostConnectionEndsItsCallsAtOnceAndComesBack) {
  NodeServer node([](session::Session& session, std::string_view text) {
    if (text.contains("\"drop\"")) return session.start_closing(1011);
    NodeServer::answer(session, text, "1");
  });
  open(node.url());
  const Result result = ask(worker, *endpoint, R"({"id":1,"method":"drop"})", kRead);
  expect_failure(result, FailureKind::closed);
  EXPECT_TRUE(result.error().sent);
  const Result again = ask_until_answered(R"({"id":2,"method":"a"})");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(node.connections(), 2);
}

TEST_F(WebSocketEndpointTest, WithAnAttemptOnRequestCallsWaitForIt) {
  NodeServer node([](session::Session& session, std::string_view text) {
    if (text.contains("\"drop\"")) return session.start_closing(1011);
    NodeServer::answer(session, text, "1");
  });
  open(node.url());
  worker.run([this] { endpoint->on_reconnect([this] { diary.write("reconnected"); }); });
  expect_failure(ask(worker, *endpoint, R"({"id":1,"method":"drop"})", kRead), FailureKind::closed);
  worker.run([this] { endpoint->connect_now(); });
  const Result answered = ask(worker, *endpoint, R"({"id":2,"method":"a"})", kRead);
  ASSERT_TRUE(answered.has_value()) << answered.error().message;
  EXPECT_TRUE(diary.wait_for("reconnected"));

  // The attempt may fail, too.
  const std::uint16_t port = node.port();
  node.stop();
  // A call may still leave on the old connection before the close frame is read.
  Result refused = ask(worker, *endpoint, R"({"id":3,"method":"a"})", kRead);
  while (!refused.has_value() && refused.error().kind == FailureKind::closed) {
    refused = ask(worker, *endpoint, R"({"id":3,"method":"a"})", kRead);
  }
  expect_failure(refused, FailureKind::connect);
  worker.run([this] { endpoint->connect_now(); });
  expect_failure(ask(worker, *endpoint, R"({"id":4,"method":"a"})", kRead), FailureKind::connect);
  node.start(port);
  worker.run([this] { endpoint->connect_now(); });
  EXPECT_TRUE(ask(worker, *endpoint, R"({"id":5,"method":"a"})", kRead).has_value());
}

TEST_F(WebSocketEndpointTest, ANodeThatWasRestartedIsSubscribedToAgain) {
  NodeServer node([](session::Session& session, std::string_view text) {
    if (!text.contains("eth_subscribe")) return;
    NodeServer::answer(session, text, "\"0xa\"");
    session.send_text(
        R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0xother","result":0}})");
    session.send_text(
        R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0xa","result":{"n":1}}})");
  });
  open(node.url());
  watch();
  EXPECT_TRUE(diary.wait_for("heads live"));
  EXPECT_TRUE(diary.wait_for(R"({"n":1})"));
  const std::uint16_t port = node.port();
  node.stop();
  EXPECT_TRUE(diary.wait_for("heads lost"));
  node.start(port);
  EXPECT_TRUE(diary.wait_for("heads live", 2));
  EXPECT_TRUE(diary.wait_for(R"({"n":1})", 2));
}

TEST_F(WebSocketEndpointTest, ASubscriptionThatIsRefusedIsNotLive) {
  NodeServer node([](session::Session& session, std::string_view text) {
    if (text.contains("eth_subscribe")) {
      std::string error;
      jsonrpc::append_error(error, *jsonrpc::member(text, "id"), jsonrpc::ErrorCode::method_not_found);
      session.send_text(error);
    } else {
      NodeServer::answer(session, text, "1");
    }
  });
  open(node.url());
  watch();
  ASSERT_TRUE(ask(worker, *endpoint, R"({"id":2,"method":"a"})", kRead).has_value());
  // The rejection came before that answer.
  EXPECT_FALSE(diary.has("heads live"));
}

}  // namespace
}  // namespace fanfare::upstream
