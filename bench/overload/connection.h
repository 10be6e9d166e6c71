#pragma once
// One connection of the load of ./dev bench --overload, with at most one request in flight. It shares no code with the server.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace overload {

struct Target {
  std::uint16_t port = 0;  // of loopback
  std::string path;
};

[[noreturn]] void give_up(std::string_view what);

// RFC6455§5.2: a text frame whose mask is zero, which leaves the payload as it is.
std::string text_frame(std::string_view payload);
std::string post_of(const Target& target, std::string_view body);

enum class Answer : std::uint8_t {
  served,
  refused,  // and told when to come back
  bare,     // refused without that
  lost,     // no answer, or another one: the connection is of no more use
};

class Connection {
 public:
  // Connects, and waits for that. Null: there is no connection, or no upgrade.
  static std::unique_ptr<Connection> open(const Target& target, bool is_websocket);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  // The bytes must outlive the answer. What the socket does not take is sent by send_rest().
  void send(std::string_view request);
  void send_rest();
  bool has_rest() const { return !rest_.empty(); }
  // Reads what has come. Empty: the answer is not whole yet, or none is expected.
  std::optional<Answer> read();

 private:
  Connection(int fd, bool is_websocket) : fd_(fd), is_websocket_(is_websocket) {}
  bool upgrade(const Target& target);
  std::optional<Answer> take_response();
  std::optional<Answer> take_frames();

  const int fd_;
  const bool is_websocket_;
  bool is_waiting_ = false;  // for an answer
  std::string_view rest_;
  std::string received_;
};

}  // namespace overload
