// Clients and a server on separate threads: only sockets and names cross between them.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "session/client_for_tests.h"
#include "session/server.h"

namespace fanfare::session {
namespace {

constexpr int kMessages = 50;

// Sends, waits for the echo, sends the next message; reconnects once after a 1012.
class Talker final : public ClientHandler {
 public:
  Talker(ClientLoop& clients, const ClientOptions& options) : client_(clients, options, *this) {
    client_.connect();
  }
  int echoes = 0;
  int opened = 0;
  bool ended = false;

  void close() { client_.close(); }

 private:
  void on_open(Client& client, const ClientOpened& what) override {
    ++opened;
    EXPECT_EQ(what.is_reconnect, opened > 1);
    client.send_text("message");
  }
  void on_message(Client& client, const Message& message) override {
    EXPECT_EQ(as_text(message.payload), "message");
    if (++echoes % kMessages != 0) client.send_text("message");
  }
  void on_close(Client&, const CloseInfo&, std::optional<Duration> reconnect_in) override {
    ended = !reconnect_in;
  }
  void on_failed(Client&, const ClientError&, std::optional<Duration> reconnect_in) override {
    ended = !reconnect_in;
  }

  Client client_;
};

class SharedSite final : public HttpService {
 public:
  void on_request(HttpConnection&, const http::Request&) override {}
  UpgradeDecision on_upgrade(HttpConnection&, const http::Request&) override {
    return Acceptance{.endpoint = &endpoint_, .policy = &policy_, .data = nullptr};
  }

 private:
  SessionSettings settings_;
  ws::UpgradePolicy policy_;
  EchoServerEndpoint endpoint_{settings_};
};

TEST(ClientThreads, ManyClientsTalkAndComeBackAfterARestart) {
  const auto make_http_services = [](LoopServer&, std::size_t) {
    Server::HttpServices services;
    services.push_back(std::make_unique<SharedSite>());
    return services;
  };
  auto server = std::make_unique<Server>(ServerOptions{.loops = 2});
  ASSERT_TRUE(server->start({*net::Address::parse("127.0.0.1", 0)}, make_http_services));
  const net::Address address = server->addresses().front();

  std::atomic<int> echoes = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      const auto loop = std::move(net::Loop::create().value());
      // The name is passed to the helper thread.
      ClientLoop clients(*loop, 20ms, [address](const std::string&, std::uint16_t) -> Resolver::Result {
        return std::vector<net::Address>{address};
      });
      ClientOptions options;
      options.url = "ws://server.test/";
      options.reconnect.backoff = {.backoff_min = 10ms, .backoff_max = 50ms};
      std::vector<std::unique_ptr<Talker>> talkers;
      for (int t = 0; t < 8; ++t) talkers.push_back(std::make_unique<Talker>(clients, options));
      int counted = 0;
      const auto run_until = [&](auto condition) {
        const auto deadline = std::chrono::steady_clock::now() + 60s;
        while (!std::ranges::all_of(talkers, condition)) {
          ASSERT_LT(std::chrono::steady_clock::now(), deadline);
          loop->run_once(10ms);
          int now = 0;
          for (const auto& talker : talkers) now += talker->echoes;
          echoes += now - std::exchange(counted, now);
        }
      };
      run_until([](const auto& talker) { return talker->opened > 1 && talker->echoes >= 2 * kMessages; });
      for (const auto& talker : talkers) talker->close();
      run_until([](const auto& talker) { return talker->ended; });
    });
  }
  while (echoes < 2 * 8 * kMessages) std::this_thread::yield();
  server->stop(1012, "restarting", 10s);
  server = std::make_unique<Server>(ServerOptions{.loops = 2});
  EXPECT_TRUE(server->start({address}, make_http_services));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(echoes, 2 * 2 * 8 * kMessages);
}

}  // namespace
}  // namespace fanfare::session
