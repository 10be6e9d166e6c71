#pragma once
// The implementation of a public Client: its thread with a loop, the engine's client, and the handlers. The
// engine's objects are created, used and destroyed on that thread. The loop remains, so that other threads
// may post to it at any time. The thread keeps this object alive, because a handler may destroy its own
// client.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/outgoing.h"
#include "fanfare/client.h"
#include "net/loop.h"
#include "session/client.h"

namespace fanfare::api {

// Converts headers to the engine's type.
std::vector<ws::OwnedHeader> owned(const std::vector<Header>& headers);

class ClientImpl final : public session::ClientHandler, public std::enable_shared_from_this<ClientImpl> {
 public:
  ClientImpl(Client& self, ClientOptions options, ClientHandlers handlers);
  ~ClientImpl() override = default;
  ClientImpl(const ClientImpl&) = delete;
  ClientImpl& operator=(const ClientImpl&) = delete;

  Expected<void, Error> start();
  void run();
  // The public object is destroyed: no handler is called afterwards. Waits for the thread, unless called on
  // it.
  void leave();

  SendResult send(ws::Opcode opcode, Bytes payload, SendOptions options = {});
  void set_paused(bool paused);
  void close(std::uint16_t code, std::string_view reason);

  bool is_open() const { return outgoing_.is_open(); }
  std::size_t buffered_amount() const;
  std::uint64_t unsent_messages() const { return outgoing_.unsent_messages(); }

  // The answer of a ConnectAttempt. Any thread.
  struct AttemptAnswer {
    std::optional<ConnectTarget> target = {};  // empty: the attempt fails
    std::string reason = {};
    bool may_retry = false;
  };
  void answer_attempt(std::uint64_t attempt, AttemptAnswer answer);

 private:
  bool is_here() const { return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed); }
  // Loop and thread exist permanently once start() has returned.
  bool was_started() const { return thread_id_.load(std::memory_order_acquire) != std::thread::id(); }
  Expected<void, Error> start_thread();

  // Called on the client's thread.
  SendResult send_here(ws::Opcode opcode, Bytes payload, SendOptions options);
  SendResult give(ws::Opcode opcode, Bytes payload, SendOptions options);
  bool may_pass() const;
  void pass();
  void pass_all();
  void close_here(std::uint16_t code, std::string_view reason);
  template <typename Call>
  void guard(std::string_view handler, Call&& call);
  void apply_pause(bool paused);
  void note_end(const std::optional<Duration>& reconnect_in);
  void tell_end(const std::optional<Duration>& reconnect_in);
  void tell_end_when_gone();

  bool on_attempt(session::Client& client) override;
  void on_open(session::Client& client, const session::ClientOpened& opened) override;
  void on_message(session::Client& client, const session::Message& message) override;
  void on_drained(session::Client& client) override;
  void on_pong(session::Client& client, Bytes payload) override;
  void on_close(session::Client& client, const session::CloseInfo& info,
                std::optional<Duration> reconnect_in) override;
  void on_failed(session::Client& client, const session::ClientError& error,
                 std::optional<Duration> reconnect_in) override;

  Client& self_;  // not after leave()
  const ClientOptions options_;
  const ClientHandlers handlers_;
  Outgoing outgoing_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<session::Client> client_;  // thread only; null after leave(), and at the thread's end
  bool in_open_handler_ = false;             // thread only
  bool was_open_ = false;                    // thread only
  std::uint64_t attempt_ = 0;                // thread only: the latest one passed to before_connect
  net::TimerId look_again_{};                // for tell_end_when_gone()
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_;
  enum class PauseWish : std::uint8_t { none, resume, pause };
  std::atomic<PauseWish> pause_wish_ = PauseWish::none;  // the latest request of other threads
  std::mutex mutex_;                                     // guards the two below
  std::condition_variable ended_;
  bool active_ = false;   // the client runs: run() waits, and start() is an error
  bool leaving_ = false;  // run() waits for the last handler and the end of the connection
};

}  // namespace fanfare::api
