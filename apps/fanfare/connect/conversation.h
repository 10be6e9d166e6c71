#pragma once
// Connects the input, the screen and the client of `fanfare connect`. Everything runs on the loop's thread.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "arguments.h"
#include "connect/input.h"
#include "connect/screen.h"
#include "connect/words.h"
#include "net/loop.h"
#include "session/client.h"

namespace fanfare::app {

class Conversation final : public session::ClientHandler {
 public:
  // The default of --wait: the time until exit after -x or the end of the input.
  static constexpr Duration kWaitDefault = std::chrono::seconds(1);

  // `loop`, `arguments` and `screen` must outlive this object.
  Conversation(net::Loop& loop, session::ClientOptions options, const ConnectArguments& arguments,
               std::optional<Duration> wait, Screen& screen);
  ~Conversation() override;

  // Runs the loop until the connection has ended finally. `input`: a descriptor to read; -1: none. Returns
  // the exit status.
  int run(int input);

 private:
  void on_open(session::Client& client, const session::ClientOpened& opened) override;
  void on_message(session::Client& client, const session::Message& message) override;
  void on_drained(session::Client& client) override;
  void on_pong(session::Client& client, Bytes payload) override;
  void on_close(session::Client& client, const session::CloseInfo& info,
                std::optional<Duration> reconnect_in) override;
  void on_failed(session::Client& client, const session::ClientError& error,
                 std::optional<Duration> reconnect_in) override;

  void take_input(const std::string& piece);
  void take_line(std::string line);
  void act(const PromptAction& action);
  // Sends waiting lines as far as the connection accepts them. Then requests more input, or starts to leave.
  void go_on();
  session::SendResult send(std::string_view line);
  void ping(const std::string& payload);
  void leave_in_time();
  void leave(std::uint16_t code = 1000, const std::string& reason = {});
  void end(int status);
  void detail(const std::string& text);

  net::Loop& loop_;
  const ConnectArguments& arguments_;
  std::optional<Duration> wait_;
  Screen& screen_;
  session::ClientLoop clients_;
  session::Client client_;
  std::unique_ptr<InputReader> input_;

  Instant began_{};  // start of the connection attempt
  std::string half_line_;
  std::deque<std::string> waiting_;  // lines, until they can be sent
  struct Ping {
    std::string payload;
    Instant sent;
  };
  std::deque<Ping> pings_;
  std::uint64_t received_ = 0;
  bool input_ended_ = false;
  bool asked_ = false;  // input was requested and has not arrived
  bool congested_ = false;
  bool leaving_ = false;
  bool timer_runs_ = false;
  bool was_open_ = false;
  int status_ = 0;
};

}  // namespace fanfare::app
