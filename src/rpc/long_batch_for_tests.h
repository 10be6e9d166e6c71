#pragma once
// For tests only: a JSON-RPC service with a few methods on a loop, whose turns the test runs, and raw clients of both
// transports.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jsonrpc/response.h"
#include "rpc/call_reader.h"
#include "rpc/service.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::rpc::batch_tests {

inline constexpr std::size_t kMany = 100'000;
inline constexpr std::size_t kCallsASlice = Slice::kStepsMax * LongBatch::kElementsAStep;

inline std::string call_of(std::string_view method, std::string_view id) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"method":")" + std::string(method) + "\"}";
}
inline std::string result_of(std::string_view id) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"result":true})";
}
template <typename Make>
std::string batch_of(std::size_t count, Make make) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "[" : ",") + make(std::to_string(i));
  return text + "]";
}
inline std::string calls(std::size_t count) {
  return batch_of(count, [](const std::string& id) { return call_of("echo", id); });
}
// Makes any batch a long one.
inline std::string padded(const std::string& batch) {
  return std::string(CallReader::kBytesAtOnce, ' ') + batch;
}

// A frame of any length, masked with 0.
inline std::string frame_of(std::string_view text) {
  if (text.size() < 65'536) return session::client_frame(0x81, text);
  std::string frame = "\x81\xff";
  for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(text.size() >> shift);
  return frame + std::string(4, '\0') + std::string(text);
}
// The payload of a whole frame of the server; "" if it is not all there.
inline std::string payload_of(std::string_view frame) {
  if (frame.size() < 2) return "";
  std::size_t size = static_cast<unsigned char>(frame[1]);
  std::size_t at = 2;
  if (size >= 126) {
    at += size == 126 ? 2 : 8;
    if (frame.size() < at) return "";
    size = 0;
    for (std::size_t i = 2; i < at; ++i) size = size << 8 | static_cast<unsigned char>(frame[i]);
  }
  return frame.size() < at + size ? "" : std::string(frame.substr(at, size));
}

// echo: answered at once; open: left to the test; known: only a known caller; become_known; refused: by a limit.
class FewMethods final : public Methods {
 public:
  explicit FewMethods(const net::Loop& loop) : loop_(loop) {}
  std::map<std::uint32_t, std::size_t> begun_in_turn;
  std::size_t begun = 0;
  std::vector<std::string> texts;  // the ids of calls of other methods than echo
  std::vector<std::pair<Message, Done>> open;

  std::size_t most_in_a_turn() const {
    std::size_t most = 0;
    for (const auto& [turn, count] : begun_in_turn) most = std::max(most, count);
    return most;
  }

 private:
  std::optional<Refusal> refusal(const jsonrpc::Request& request, const Caller& caller) override {
    if (request.method == "refused") return limit_reached("requests", std::chrono::seconds(2));
    if (request.method == "known" && !caller.is_local) return Refusal{.code = kNotPermitted, .message = "no"};
    return std::nullopt;
  }
  Begun begin(const jsonrpc::Request& request, const Origin& origin, Message& message,
              std::string& answer) override {
    ++begun;
    ++begun_in_turn[loop_.turn_number()];
    if (request.method != "echo") texts.emplace_back(request.id);
    if (request.method == "open") return Begun::open;
    if (request.method == "become_known") origin.connection->set_caller({.is_local = true});
    if (request.is_notification()) return Begun::answered;
    std::string text;
    jsonrpc::append_result(text, request.id, "true");
    if (message.room.take_answer(text.size(), request.id, answer)) answer = std::move(text);
    return Begun::answered;
  }
  void run(Message message, const Origin&, Done done) override {
    open.emplace_back(std::move(message), std::move(done));
  }

  const net::Loop& loop_;
};

class Client final : public session::SessionData {
 public:
  explicit Client(Service& service) : connection(service, {.transport = Transport::websocket}) {}
  Connection connection;
};

class RpcEndpoint final : public session::Endpoint {
 public:
  using Endpoint::Endpoint;
  Service* service = nullptr;

  static Connection& connection_of(session::Session& session) { return session.data<Client>().connection; }

 private:
  void on_open(session::Session& session) override { Service::on_open(connection_of(session), session); }
  void on_message(session::Session& session, const session::Message& message) override {
    service->on_message(connection_of(session), as_text(message.payload));
  }
  void on_drained(session::Session& session) override { service->on_drained(connection_of(session)); }
  void on_close(session::Session& session, const session::CloseInfo&) override {
    service->on_close(connection_of(session));
  }
};

class RpcSite final : public session::HttpService {
 public:
  explicit RpcSite(RpcEndpoint& endpoint) : endpoint_(endpoint) {}

 private:
  void on_request(session::HttpConnection& session, const http::Request& request) override {
    endpoint_.service->handle_http(
        session, as_text(request.body), {},
        [](session::HttpConnection& asker, const session::HttpResponse& answer) { asker.respond(answer); });
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection&, const http::Request&) override {
    return session::Acceptance{
        .endpoint = &endpoint_, .policy = &policy_, .data = std::make_unique<Client>(*endpoint_.service)};
  }

  RpcEndpoint& endpoint_;
  ws::UpgradePolicy policy_;
};

class LongBatchTest : public session::OneLoopTest {
 protected:
  LongBatchTest() { settings_.limits.message_bytes_max = std::size_t{32} << 20; }
  ~LongBatchTest() override {
    server_->close_all();
    service_.reset();
  }

  void start(Limits limits = {.batch_items_max = kMany}) {
    service_ =
        std::make_unique<Service>(limits, Service::Context{.methods = methods_,
                                                           .observer = observer_,
                                                           .server = *server_,
                                                           .budget = budget_,
                                                           .connection_of = &RpcEndpoint::connection_of,
                                                           .clock = clock_});
    endpoint_.service = service_.get();
  }
  net::Descriptor connect() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), site_);
    return net::Descriptor(ends[1]);
  }
  net::Descriptor open() {
    net::Descriptor peer = connect();
    write(peer, session::kUpgrade);
    EXPECT_THAT(read_until(peer, "\r\n\r\n"), testing::HasSubstr("101 Switching Protocols"));
    return peer;
  }
  // In parts: a socket takes only so much at once. Stops once the condition holds.
  template <typename Stop>
  void write_until(const net::Descriptor& peer, std::string_view bytes, Stop stop) {
    ASSERT_TRUE(run_until([&] {
      const ssize_t sent = ::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      return bytes.empty() || stop();
    }));
  }
  void write_all(const net::Descriptor& peer, std::string_view bytes) {
    write_until(peer, bytes, [] { return false; });
  }
  std::string answer_of(const net::Descriptor& peer) {
    std::string received;
    EXPECT_TRUE(run_until([&] {
      received += read_now(peer);
      return !payload_of(received).empty();
    })) << received.substr(0, 200);
    return payload_of(received);
  }
  std::string ask(const net::Descriptor& peer, const std::string& text) {
    write_all(peer, frame_of(text));
    return answer_of(peer);
  }
  static std::string post_of(const std::string& text) {
    return "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" +
           text;
  }
  // The whole response with a body that ends with `]` or `}`.
  std::string post(const net::Descriptor& peer, const std::string& text) {
    write_all(peer, post_of(text));
    return http_answer_of(peer);
  }
  std::string http_answer_of(const net::Descriptor& peer) {
    std::string received;
    EXPECT_TRUE(run_until([&] {
      received += read_now(peer);
      const std::size_t head = received.find("\r\n\r\n");
      if (head == std::string::npos) return false;
      const std::size_t length = received.find("Content-Length: ");
      if (length == std::string::npos) return true;
      return received.size() == head + 4 + std::stoul(received.substr(length + 16));
    })) << received.substr(0, 200);
    return received;
  }
  bool run_until_in_slices() {
    return run_until([&] { return service_->in_slices() > 0; });
  }
  void run_until_done() {
    EXPECT_TRUE(run_until([&] { return service_->in_slices() == 0; }));
  }

  FewMethods methods_{*loop_};
  Observer observer_;
  ByteBudget budget_{std::size_t{512} << 20};
  session::SessionSettings settings_;
  RpcEndpoint endpoint_{settings_};
  RpcSite site_{endpoint_};
  std::unique_ptr<session::LoopServer> server_ = std::make_unique<session::LoopServer>(
      *loop_, session::LoopServerOptions{.http = {.body_bytes_max = std::size_t{32} << 20}});
  std::unique_ptr<Service> service_;
};

}  // namespace fanfare::rpc::batch_tests
