#pragma once
// Whether a node's WebSocket message was requested. Nodes break, are replaced and lie. One that sends junk,
// unrequested answers or thousands of heads must not affect more than its own connection.
//
//   NodeIntake intake(limits);
//   intake.connected();                                 // each connection begins with nothing asked
//   intake.asked(17, Asked::heads);                     // as the request goes out
//   switch (intake.judge(answer, bytes, now)) { ... }   // as each message comes in
//
// No I/O, no clock of its own, one thread at a time.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "jsonrpc/response.h"

namespace fanfare::upstream {

// What the answer to a request starts, if anything.
enum class Asked : std::uint8_t {
  answer,   // nothing
  heads,    // the subscription to newHeads
  pending,  // the one to newPendingTransactions
};

// A rate is a level: each event raises it, and it falls at a fixed speed. A node floods when a level is above
// its limit.
struct IntakeLimits {
  // Unrequested messages: text that is not JSON-RPC, answers without a request, notifications without a
  // subscription. Each raises the level by one, and by one more for each 4 KiB of it. So do pings and pongs: a node
  // sends a few a minute, and each ping costs a pong.
  std::uint32_t useless_max = 1000;
  std::uint32_t useless_per_second = 10;
  // Heads that are passed on one by one. Above this rate only the newest is passed on, now and then:
  // followers of the chain fetch the blocks between.
  std::uint32_t heads_max = 256;
  std::uint32_t heads_per_second = 50;
  // Heads that are skipped.
  std::uint32_t heads_skipped_max = 50'000;
  std::uint32_t heads_skipped_per_second = 1000;
  // The size of a message that arrives while no request is pending: a longer one counts as a flood before it
  // is complete.
  std::size_t unasked_bytes_max = std::size_t{1} << 20;
  // Pending requests that are remembered. Beyond it the oldest is forgotten, and its answer counts as
  // unrequested.
  std::size_t questions_max = 65'536;
  // Subscriptions of one connection that are remembered; beyond it the oldest is forgotten.
  std::size_t subscriptions_max = 16;
};

class NodeIntake {
 public:
  enum class Verdict : std::uint8_t {
    pass,    // it was requested
    newest,  // one head too many: only valid until the next one
    drop,    // it was not requested
    flood,   // above a limit: the connection should end
  };

  explicit NodeIntake(IntakeLimits limits) : limits_(limits) {}

  void connected();
  // Notes a request that is sent now. Ids increase.
  void asked(std::uint64_t wire_id, Asked what);
  // Judges a complete message of `bytes` bytes. Null: it is not JSON-RPC.
  Verdict judge(const jsonrpc::Answer* message, std::size_t bytes, Instant now);
  // Judges a ping or a pong: drop or flood.
  Verdict judge_control(std::string_view problem, Instant now) { return useless(problem, 0, now); }
  // Whether an incomplete message may already have so many bytes.
  bool may_arrive(std::size_t bytes) const {
    return bytes <= limits_.unasked_bytes_max || !questions_.empty();
  }

  // Describes the last message that did not pass: "text that is not JSON-RPC". Static.
  std::string_view problem() const { return problem_; }

 private:
  struct Level {
    double value = 0;
    Instant at{};
    // False: the level would be above `most`; it then stays unchanged.
    bool raise(double by, double most, double per_second, Instant now);
  };
  struct Subscription {
    std::string id_json;
    Asked what;
  };

  Verdict judge_notification(const jsonrpc::Answer& message, std::size_t bytes, Instant now);
  Verdict judge_answer(const jsonrpc::Answer& message, std::size_t bytes, Instant now);
  bool answers_some_question(const jsonrpc::Answer& message);
  Verdict useless(std::string_view problem, std::size_t bytes, Instant now);

  const IntakeLimits limits_;
  std::map<std::uint64_t, Asked> questions_;  // by wire id; not answered yet
  std::size_t nameless_errors_ = 0;           // errors without an id; at most one for each pending request
  std::vector<Subscription> subscriptions_;   // also ended ones: their last notifications may be on the way
  Level useless_;
  Level heads_;
  Level heads_skipped_;
  std::string_view problem_;
};

// The id of an answer to a request of ours, which are numbers. Empty: it is not one.
std::optional<std::uint64_t> wire_id_of(std::string_view token);

}  // namespace fanfare::upstream
