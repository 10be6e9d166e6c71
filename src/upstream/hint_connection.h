#pragma once
// Whether a node behind HTTP also serves WebSocket at its URL, and what it announces there (decision 0610).
//
//   trying ---- newHeads subscribed ----> live
//     ^  \                                  |
//     |   not WebSocket, refused, silent    lost, give_up()
//     |          v                          v
//     '-- waiting: 15 s, twice as long each time, at most an hour; 1 s after a long connection, then at
//                  most a minute, as for a node that is not there
//
// What it announces is only a hint, and its state says nothing about the node. On the executor's thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_budget.h"
#include "base/log_limiter.h"
#include "base/random.h"
#include "base/time.h"
#include "net/loop.h"
#include "upstream/executor.h"
#include "upstream/websocket_node.h"

namespace fanfare::upstream {

struct HintOptions {
  std::string url;   // http:// or https://
  std::string name;  // empty: the redacted URL
  std::vector<std::pair<std::string, std::string>> headers;
  Duration answer_timeout = std::chrono::seconds(10);  // from the begin of an attempt to the subscription
  Duration wait_min = std::chrono::seconds(15);        // after an attempt that failed
  Duration wait_max = std::chrono::hours(1);           // also after give_up()
  // After attempts that nobody accepted, or that failed after a long connection: the node is being restarted.
  Duration wait_absent_max = std::chrono::minutes(1);
  Duration stable_after = std::chrono::minutes(1);
  Duration wait_stable = std::chrono::seconds(1);  // after a connection that lasted so long
  // A longer message closes the connection. A head has some 2 KiB; some nodes add the hashes of a block's transactions.
  std::size_t message_bytes_max = std::size_t{256} << 10;
  // WebSocketOptions::outbox_bytes_max: one request is sent, and a few pongs.
  std::size_t outbox_bytes_max = std::size_t{256} << 10;
  // WebSocketOptions::inbox: only the newest head is of use.
  InboxLimits inbox = {.messages_max = 64, .bytes_max = std::size_t{512} << 10};
  // Pays for received data until it is processed; null: not counted.
  std::shared_ptr<ByteShare> received = {};
  std::string ca_file;  // empty: the system's
  net::LoopKind loop_kind = net::LoopKind::automatic;
};

class HintConnection {
 public:
  struct Callbacks {
    std::function<void(bool live)> changed;
    std::function<void(std::string_view header_json)> head;
  };

  // Begins to connect. `callbacks` run until this object is destroyed, never within a call of these functions.
  HintConnection(Executor& executor, HintOptions options, Callbacks callbacks);
  ~HintConnection();
  HintConnection(const HintConnection&) = delete;
  HintConnection& operator=(const HintConnection&) = delete;

  // What it announces is of no use: closes the connection for a long time.
  void give_up(std::string_view why);

  // Whether it announces blocks before polls find them (eth/head_hints.h). Not at first, with each new subscription.
  void set_of_use(bool of_use);

  std::string_view name() const { return options_.name; }
  // The node has accepted the subscription.
  bool is_live() const { return state_ == State::live; }
  // "live": it is of use. "silent: " and the reason: the node has accepted the subscription, but it is of no use. "none: " and
  // the reason: there is no subscription. "trying": the first attempt. For people, without secrets.
  std::string description() const;

 private:
  enum class State : std::uint8_t { trying, live, ended, waiting };

  void attempt();
  void subscribed();
  void end(std::string_view why, Duration wait);
  Duration wait_after(bool unreachable);
  void close();
  void log_end(bool was_live);

  Executor& executor_;
  HintOptions options_;
  const Callbacks callbacks_;
  const std::string websocket_url_;
  State state_ = State::trying;
  std::unique_ptr<WebSocketNode> node_;
  TimerId timer_;
  Duration wait_{};
  bool is_proven_ = false;  // the last connection lasted
  Instant live_at_{};
  bool is_of_use_ = false;
  bool was_of_use_ = false;  // since the subscription
  std::string why_;
  bool is_absence_logged_ = false;
  SystemRandom random_;
  // The other side decides how often they are written.
  LogLimiter found_{log::Level::info, "head_hints_found"};
  LogLimiter not_found_{log::Level::info, "head_hints_not_found"};
  LogLimiter lost_{log::Level::info, "head_hints_lost"};
};

// The same endpoint over WebSocket: http becomes ws, https becomes wss.
std::string websocket_url_of(std::string_view http_url);

}  // namespace fanfare::upstream
