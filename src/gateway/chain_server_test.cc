// The lifetime of a ChainServer, and the errors of start().

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/chain.h"
#include "net/socket.h"

namespace fanfare {
namespace {

constexpr std::string_view kGarbage = "garbage";

CallResult no_method(std::string_view, std::string_view) {
  return std::unexpected(CallError{.code = -32601, .message = "unknown"});
}

ChainOptions on_any_ports() {
  return {.http_port = 0, .websocket_port = 0, .threads = 1};
}

std::uint16_t port_of(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

TEST(ChainServer, HasNoAddressesBeforeStartAndAfterStop) {
  ChainServer server(on_any_ports(), no_method);
  EXPECT_EQ(server.http_address(), "");
  EXPECT_EQ(server.websocket_address(), "");
  ASSERT_TRUE(server.start());
  EXPECT_TRUE(server.http_address().starts_with("127.0.0.1:")) << server.http_address();
  EXPECT_TRUE(server.websocket_address().starts_with("127.0.0.1:")) << server.websocket_address();
  EXPECT_NE(server.http_address(), server.websocket_address());
  server.stop();
  EXPECT_EQ(server.http_address(), "");
}

TEST(ChainServer, HooksBeforeStartAndAfterStopDoNothing) {
  ChainServer server(on_any_ports(), no_method);
  const auto call_all = [&] {
    server.on_new_block(kGarbage);
    server.on_logs(kGarbage);
    server.on_pending_transaction(kGarbage);
    server.on_sync_status(kGarbage);
  };
  call_all();
  ASSERT_TRUE(server.start());
  server.stop();
  call_all();
  EXPECT_EQ(server.unreadable_hook_values(), 0U);
}

TEST(ChainServer, IsDestroyedWithoutStart) {
  const ChainServer server(on_any_ports(), no_method);
}

TEST(ChainServer, StopBeforeStartAndTwiceDoesNothing) {
  ChainServer server(on_any_ports(), no_method);
  server.stop();
  ASSERT_TRUE(server.start());
  server.stop();
  server.stop();
}

TEST(ChainServer, ManyThreadsMayStopIt) {
  ChainServer server(on_any_ports(), no_method);
  ASSERT_TRUE(server.start());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { server.stop(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.http_address(), "");
}

TEST(ChainServer, StartsOnce) {
  ChainServer server(on_any_ports(), no_method);
  ASSERT_TRUE(server.start());
  const auto again = server.start();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, Error::Kind::wrong_state);
  server.stop();
  const auto stopped = server.start();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, Error::Kind::wrong_state);
}

TEST(ChainServer, SaysThatAPortIsTakenAndMayTryAgain) {
  auto taken = net::listen_on(*net::Address::parse("127.0.0.1", 0), {.reuse_port = false});
  ASSERT_TRUE(taken);
  ChainOptions options = on_any_ports();
  options.websocket_port = net::local_address(taken->get())->port();
  ChainServer server(options, no_method);
  const auto refused = server.start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::system);
  EXPECT_EQ(refused.error().system_code, EADDRINUSE);
  EXPECT_NE(refused.error().message.find("127.0.0.1:" + std::to_string(options.websocket_port)),
            std::string::npos)
      << refused.error().message;
  EXPECT_EQ(server.http_address(), "");

  *taken = net::Descriptor();
  const auto started = server.start();
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(port_of(server.websocket_address()), options.websocket_port);
}

// The status of one call and what follows it; each of `headers` is a line.
std::string call(const ChainServer& server, std::string_view method, const std::string& headers) {
  const auto peer =
      net::start_connect(net::Address::parse("127.0.0.1", port_of(server.http_address())).value());
  EXPECT_TRUE(peer);
  const int flags = fcntl(peer->get(), F_GETFL);
  EXPECT_EQ(fcntl(peer->get(), F_SETFL, flags & ~O_NONBLOCK), 0);
  const std::string body = R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"("})";
  const std::string request = "POST / HTTP/1.1\r\n" + headers +
                              "Connection: close\r\nContent-Length: " + std::to_string(body.size()) +
                              "\r\n\r\n" + body;
  EXPECT_EQ(send(peer->get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  std::array<char, 4096> piece;
  for (ssize_t got = 0; (got = recv(peer->get(), piece.data(), piece.size(), 0)) > 0;) {
    answer.append(piece.data(), static_cast<std::size_t>(got));
  }
  return answer.substr(std::min<std::size_t>(answer.size(), std::string_view("HTTP/1.1 ").size()));
}

class ChainServerRules : public testing::Test {
 protected:
  void serve(ChainOptions options) {
    server_ = std::make_unique<ChainServer>(options,
                                            [this](std::string_view method, std::string_view) -> CallResult {
                                              if (method.starts_with("my_")) ++calls_;
                                              return R"("answered")";
                                            });
    ASSERT_TRUE(server_->start());
  }
  bool serves(const std::string& headers, std::string_view method = "my_method") {
    const int before = calls_;
    const std::string answer = call(*server_, method, headers);
    const bool is_served = answer.starts_with("200") && answer.contains(R"("result":"answered")");
    EXPECT_TRUE(is_served || answer.starts_with("403") || answer.contains("-32601")) << answer;
    // A rejected call never reaches the handler.
    EXPECT_EQ(calls_ - before, is_served && method.starts_with("my_") ? 1 : 0);
    return is_served;
  }

  std::atomic<int> calls_ = 0;
  std::unique_ptr<ChainServer> server_;
};

TEST_F(ChainServerRules, OnLoopbackOnlyLoopbackIsServedByDefault) {
  serve(on_any_ports());
  EXPECT_TRUE(serves("Host: localhost\r\n"));
  EXPECT_TRUE(serves("Host: 127.0.0.1:8545\r\nOrigin: http://localhost:3000\r\n"));
  EXPECT_FALSE(serves("Host: node.example\r\n"));
  EXPECT_FALSE(serves("Host: localhost\r\nOrigin: https://app.example\r\n"));
}

TEST_F(ChainServerRules, TheNamesAndPagesThatAreAllowedAreServedAndNoOthers) {
  ChainOptions options = on_any_ports();
  options.allowed_hosts = {"node.example", "*.nodes.example"};
  options.allowed_origins = {"https://app.example"};
  serve(options);
  EXPECT_TRUE(serves("Host: node.example:8545\r\n"));
  EXPECT_TRUE(serves("Host: a.nodes.example\r\nOrigin: https://app.example\r\n"));
  EXPECT_FALSE(serves("Host: localhost\r\n"));
  EXPECT_FALSE(serves("Host: nodes.example\r\n"));
  EXPECT_FALSE(serves("Host: node.example\r\nOrigin: http://app.example\r\n"));
  EXPECT_FALSE(serves("Host: node.example\r\nOrigin: http://localhost\r\n"));
}

TEST_F(ChainServerRules, TheLongestPatternOfAMethodDecides) {
  ChainOptions options = on_any_ports();
  options.allowed_methods = {"my_method", "admin_peers"};
  options.denied_methods = {"my_*"};
  serve(options);
  constexpr const char* kHost = "Host: localhost\r\n";
  EXPECT_TRUE(serves(kHost));
  EXPECT_FALSE(serves(kHost, "my_other"));
  EXPECT_TRUE(serves(kHost, "admin_peers"));
  EXPECT_FALSE(serves(kHost, "admin_addPeer"));
  EXPECT_TRUE(serves(kHost, "eth_gasPrice"));
}

struct WrongOption {
  std::function<void(ChainOptions&)> spoil;
  Error::Kind kind;
  std::string named;  // in the message
};

TEST(ChainServer, StartSaysWhatIsWrongWithTheOptions) {
  using std::chrono::milliseconds;
  const std::vector<WrongOption> table{
      {[](ChainOptions& options) { options.host = "no.such.host"; }, Error::Kind::bad_option, "no.such.host"},
      {[](ChainOptions& options) { options.http_port = options.websocket_port = 9; }, Error::Kind::bad_option,
       "websocket_port"},
      {[](ChainOptions& options) { options.window_blocks = 0; }, Error::Kind::bad_option, "window_blocks"},
      {[](ChainOptions& options) { options.window_blocks = 65'537; }, Error::Kind::bad_option,
       "window_blocks"},
      {[](ChainOptions& options) { options.connections_max = 0; }, Error::Kind::bad_option,
       "connections_max"},
      {[](ChainOptions& options) { options.threads = 1025; }, Error::Kind::bad_option, "threads"},
      {[](ChainOptions& options) { options.allowed_hosts = {"node.example:80"}; }, Error::Kind::bad_option,
       "allowed_hosts: \"node.example:80\""},
      {[](ChainOptions& options) { options.allowed_origins = {"*", "app.example"}; }, Error::Kind::bad_option,
       "allowed_origins: \"app.example\""},
      {[](ChainOptions& options) { options.allowed_methods = {"eth_*Logs"}; }, Error::Kind::bad_option,
       "allowed_methods: \"eth_*Logs\""},
      {[](ChainOptions& options) { options.denied_methods = {""}; }, Error::Kind::bad_option,
       "denied_methods: \"\""},
      {[](ChainOptions& options) { options.heartbeat.ping_interval = milliseconds(-1); },
       Error::Kind::bad_option, "heartbeat.ping_interval"},
      {[](ChainOptions& options) { options.heartbeat.pong_timeout = milliseconds(-1); },
       Error::Kind::bad_option, "heartbeat.pong_timeout"},
      {[](ChainOptions& options) {
         options.tls = Tls{.certificate_file = "/nonexistent/cert.pem", .key_file = "/nonexistent/key.pem"};
       },
       Error::Kind::tls, "/nonexistent/cert.pem"},
      {[](ChainOptions& options) {
         options.tls = Tls{.certificate_file = "cert.pem", .key_file = "key.pem", .ciphers = "NO-SUCH"};
       },
       Error::Kind::bad_option, "tls.ciphers"},
  };
  for (const WrongOption& row : table) {
    ChainOptions options = on_any_ports();
    row.spoil(options);
    ChainServer server(options, no_method);
    const auto started = server.start();
    ASSERT_FALSE(started) << row.named;
    EXPECT_EQ(started.error().kind, row.kind) << started.error().message;
    EXPECT_NE(started.error().message.find(row.named), std::string::npos) << started.error().message;
  }
}

TEST(ChainServer, AHandlerThatThrowsIsAnsweredWithAnError) {
  std::atomic<int> asked = 0;
  ChainServer server(on_any_ports(), [&](std::string_view method, std::string_view params) -> CallResult {
    if (method != "eth_call") return no_method(method, params);
    if (++asked == 1) throw std::runtime_error("not for the client's eyes");
    return "\"0x2a\"";
  });
  ASSERT_TRUE(server.start());
  constexpr std::string_view kCall = R"({"jsonrpc":"2.0","id":1,"method":"eth_call","params":[]})";
  api::RawClient client(port_of(server.http_address()));
  const auto call = [&] {
    client.write("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " +
                 std::to_string(kCall.size()) + "\r\n\r\n" + std::string(kCall));
    return client.read_answer(false);
  };
  const std::string answer = call();
  EXPECT_NE(answer.find("-32603"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("eyes"), std::string::npos) << answer;
  const std::string next = call();
  EXPECT_NE(next.find("\"0x2a\""), std::string::npos) << next;
}

TEST(ChainServer, NeedsAHandler) {
  ChainServer server(on_any_ports(), nullptr);
  const auto started = server.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, Error::Kind::bad_option);
}

TEST(ChainServer, WorksAtTheEndsOfItsLimits) {
  ChainOptions options = on_any_ports();
  options.connections_max = SIZE_MAX;
  options.subscriptions_per_connection_max = SIZE_MAX;
  options.window_blocks = 65'536;
  options.heartbeat = {.ping_interval = std::chrono::milliseconds::max(),
                       .pong_timeout = std::chrono::milliseconds::max()};
  ChainServer server(options, no_method);
  const auto started = server.start();
  EXPECT_TRUE(started) << started.error().message;
}

}  // namespace
}  // namespace fanfare
