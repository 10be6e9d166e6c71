#pragma once
// For tests only: a program with methods of every kind, and a client for each transport.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "api/raw_client_for_tests.h"
#include "fanfare/rpc.h"

namespace fanfare::api {

// JSON-RPC texts.
inline std::string call(std::string_view method, std::string_view params = "[]", std::string_view id = "1") {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"method":")" + std::string(method) +
         R"(","params":)" + std::string(params) + "}";
}
inline std::string result(std::string_view json, std::string_view id = "1") {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"result":)" + std::string(json) + "}";
}
inline std::string error(int code, std::string_view message, std::string_view data = "",
                         std::string_view id = "1") {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"error":{"code":)" + std::to_string(code) +
         R"(,"message":")" + std::string(message) + "\"" +
         (data.empty() ? "" : ",\"data\":" + std::string(data)) + "}}";
}

// A WebSocket of a caller without credentials.
struct RpcClient : RawClient {
  explicit RpcClient(std::uint16_t port) : RawClient(port) {
    EXPECT_TRUE(upgrade("/rpc").starts_with("HTTP/1.1 101"));
  }
};

enum class Wire { http, websocket, unix_http, unix_websocket };

// One thread that runs tasks one after the other.
class OtherThread {
 public:
  OtherThread() : thread_([this] { work(); }) {}
  ~OtherThread() {
    run(nullptr);
    thread_.join();
  }
  void run(UniqueFunction<void()> task) {
    {
      const std::scoped_lock lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !tasks_.empty(); });
      UniqueFunction<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (task == nullptr) return;
      task();
    }
  }
  std::mutex mutex_;  // guards the tasks
  std::condition_variable changed_;
  std::deque<UniqueFunction<void()>> tasks_;
  std::thread thread_;
};

// Callers name themselves in the header User: "admin" has all permissions, "user" has "read", "listed" has "read" and
// may call some methods only, "denied" none of those that do anything, and "stranger" is refused.
inline Expected<RpcIdentity, Response> identify(const Request& request) {
  const std::string name(request.header("User").value_or("nobody"));
  if (name == "stranger") return Unexpected(Response{.status = 401, .body = "who are you?\n"});
  RpcIdentity identity{.name = name};
  if (name == "admin") identity.permissions = {"*"};
  if (name == "user" || name == "listed") identity.permissions = {"read"};
  if (name == "listed") identity.methods = {"add", "add_later", "read", "read_on_worker", "admin", "last"};
  if (name == "denied") identity.methods = {"last"};
  return identity;
}

class RpcWorld {
 public:
  explicit RpcWorld(RpcOptions options = {}, LoopKind loop = LoopKind::automatic)
      : rpc(with_defaults(std::move(options))),
        unix_path(testing::TempDir() + "rpc_" + std::to_string(getpid()) + "_" +
                  std::to_string(static_cast<int>(loop)) + ".sock"),
        server({.port = 0,
                .more_listeners = {{.unix_path = unix_path}},
                .threads = 1,
                .loop = loop,
                // The clients answer no pings.
                .heartbeat = {.ping_interval = std::chrono::milliseconds::zero()}}) {
    add_methods();
  }
  ~RpcWorld() { server.stop(std::chrono::seconds(1)); }
  void start() {
    rpc.serve(server, "/rpc");
    const auto started = server.start();
    ASSERT_TRUE(started) << started.error().message;
  }

  std::unique_ptr<RawClient> connect(Wire wire) const {
    const bool is_tcp = wire == Wire::http || wire == Wire::websocket;
    return is_tcp ? std::make_unique<RawClient>(server.port()) : std::make_unique<RawClient>(unix_path);
  }
  static bool is_websocket(Wire wire) { return wire == Wire::websocket || wire == Wire::unix_websocket; }

  // Sends the text and returns the answer's body. `expects_answer` false: "" unless something was sent all the
  // same. Each user has one connection of each kind.
  std::string ask(Wire wire, const std::string& text, const std::string& user, bool expects_answer = true) {
    std::unique_ptr<RawClient>& client = clients_[{wire, user}];
    const bool is_new = client == nullptr;
    if (is_new) client = connect(wire);
    const std::string headers = headers_of(user);
    if (!is_websocket(wire)) {
      client->write("POST /rpc HTTP/1.1\r\nHost: test\r\n" + headers +
                    "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
      return body_of(client->read_answer(false));
    }
    if (is_new) {
      const std::string head = client->upgrade("/rpc", headers);
      if (!head.starts_with("HTTP/1.1 101")) {
        client.reset();
        return body_of(head);
      }
    }
    const int before = effects();
    client->send(text);
    if (expects_answer) return client->receive();
    // A notification has had its effect, or is refused, before this call is answered: both are done in order.
    const std::string last = R"({"jsonrpc":"2.0","id":"last","result":true})";
    await_effects(before + expected_effects);
    client->send(R"({"jsonrpc":"2.0","id":"last","method":"last"})");
    const std::string received = client->receive();
    return received == last ? "" : received;
  }
  static std::string body_of(const std::string& answer) {
    const std::size_t end = answer.find("\r\n\r\n");
    return end == std::string::npos ? answer : answer.substr(end + 4);
  }

  int effects() const { return effects_; }
  void await_effects(int count) const {
    while (effects_ < count) std::this_thread::yield();
  }

  OtherThread other;  // ends before the server that its answers are for
  Rpc rpc;
  std::string unix_path;
  Server server;
  int expected_effects = 0;  // of a notification
  // How a caller says who it is.
  std::function<std::string(const std::string& user)> headers_of = [](const std::string& user) {
    return "User: " + user + "\r\n";
  };

 private:
  static RpcOptions with_defaults(RpcOptions options) {
    if (options.authenticate == nullptr) options.authenticate = identify;
    options.allowed_hosts = {"*"};
    return options;
  }
  void add_methods() {
    const RpcParam<std::int64_t> a{"a", "The first number."};
    const RpcParam<std::int64_t> b{"b", "The second number.", 1};
    const auto add = [this](const RpcCall&, std::int64_t left, std::int64_t right) {
      ++effects_;
      return left + right;
    };
    rpc.method("add", {.description = "The sum of two numbers."}, add, a, b);
    rpc.method("add_on_worker", {.description = "The sum of two numbers.", .run = RpcRun::worker}, add, a, b);
    rpc.method_later<std::int64_t>(
        "add_later", {.description = "The sum of two numbers."},
        [this](const RpcCall&, RpcReply<std::int64_t> reply, std::int64_t left, std::int64_t right) {
          other.run([this, reply = std::move(reply), sum = left + right]() mutable {
            ++effects_;
            std::move(reply).send(sum);
          });
        },
        a, b);
    for (const RpcRun run : {RpcRun::loop, RpcRun::worker}) {
      const std::string where = run == RpcRun::loop ? "" : "_on_worker";
      rpc.method("fail" + where, {.run = run}, [this](const RpcCall&) -> RpcResult<bool> {
        ++effects_;
        return rpc_error(-8, "no \"luck\"", R"({"tries":3})");
      });
      rpc.method("throws" + where, {.run = run}, [this](const RpcCall&) -> bool {
        ++effects_;
        throw std::runtime_error("for the log only");
      });
      rpc.method("read" + where, {.permission = "read", .run = run}, [this](const RpcCall& call) {
        ++effects_;
        return call.identity()->name;
      });
      rpc.method("admin" + where, {.permission = "write", .run = run}, [this](const RpcCall&) {
        ++effects_;
        return true;
      });
    }
    rpc.method_later<bool>("drop", {}, [this](const RpcCall&, RpcReply<bool>) { ++effects_; });
    rpc.method(
        "echo", {},
        [this](const RpcCall&, const Json& value, std::optional<std::string> word, std::vector<double> list) {
          ++effects_;
          JsonObject object;
          object.add("value", value).add("list", list);
          if (word) object.add("word", *word);
          return object.json();
        },
        RpcParam<Json>{"value"}, RpcParam<std::optional<std::string>>{"word"},
        RpcParam<std::vector<double>>{"list", "", std::vector<double>{}});
    rpc.method("last", {}, [](const RpcCall&) { return true; });
  }

  std::map<std::pair<Wire, std::string>, std::unique_ptr<RawClient>> clients_;
  std::atomic<int> effects_ = 0;
};

// Ends a world with the scope in which it is declared: after locals that the world's handlers refer to, since a worker may
// still be in one when its answer has arrived.
class WorldEnds {
 public:
  explicit WorldEnds(std::unique_ptr<RpcWorld>& world) : world_(world) {}
  WorldEnds(const WorldEnds&) = delete;
  WorldEnds& operator=(const WorldEnds&) = delete;
  ~WorldEnds() { world_.reset(); }

 private:
  std::unique_ptr<RpcWorld>& world_;
};

}  // namespace fanfare::api
