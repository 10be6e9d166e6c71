#pragma once
// Whether what a node sends over WebSocket was asked for. Nodes break, are replaced and lie: one that sends
// junk, answers to nothing or heads by the thousand must not cost more than its own connection.
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

// What the answer to a request begins, if anything.
enum class Asked : std::uint8_t {
  answer,   // nothing
  heads,    // the subscription to newHeads
  pending,  // the one to newPendingTransactions
};

// Rates are levels that rise by what happens and fall by so much a second: a node floods when one is past its
// limit.
struct IntakeLimits {
  // Messages nobody asked for: text that is not JSON-RPC, answers without a question, notifications without a
  // subscription. Each raises the level by one, and by one more for each 4 KiB of it.
  std::uint32_t useless_max = 1000;
  std::uint32_t useless_per_second = 10;
  // Heads that are passed on as they come. Of more than these only the newest is, now and then: whoever
  // follows the chain asks for what lies between.
  std::uint32_t heads_max = 256;
  std::uint32_t heads_per_second = 50;
  // Heads that are not.
  std::uint32_t heads_skipped_max = 50'000;
  std::uint32_t heads_skipped_per_second = 1000;
  // Of a message that arrives while nothing was asked: a longer one is a flood before it is whole.
  std::size_t unasked_bytes_max = std::size_t{1} << 20;
  // Questions that are remembered; beyond it the oldest is forgotten, and its answer nobody's.
  std::size_t questions_max = 65'536;
  // Subscriptions of one connection that are remembered; likewise.
  std::size_t subscriptions_max = 16;
};

class NodeIntake {
 public:
  enum class Verdict : std::uint8_t {
    pass,    // it was asked for
    newest,  // a head too many: good only until the next one
    drop,    // nobody asked for it
    flood,   // that was one too many: the connection should end
  };

  explicit NodeIntake(IntakeLimits limits) : limits_(limits) {}

  void connected();
  // A request goes out. Ids rise.
  void asked(std::uint64_t wire_id, Asked what);
  // A whole message of `bytes`. Null: it is not JSON-RPC.
  Verdict judge(const jsonrpc::Answer* message, std::size_t bytes, Instant now);
  // Whether a message that is only partly there may have so many bytes already.
  bool may_arrive(std::size_t bytes) const {
    return bytes <= limits_.unasked_bytes_max || !questions_.empty();
  }

  // What the last verdict that was not `pass` was about, in words: "text that is not JSON-RPC". Static.
  std::string_view problem() const { return problem_; }

 private:
  struct Level {
    double value = 0;
    Instant at{};
    // False: it would be past `most`; then it stays.
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
  std::map<std::uint64_t, Asked> questions_;  // by wire id, without an answer yet
  std::size_t nameless_errors_ = 0;           // errors without an id: of these questions, at most
  std::vector<Subscription> subscriptions_;   // also those that ended: their last words may be on the way
  Level useless_;
  Level heads_;
  Level heads_skipped_;
  std::string_view problem_;
};

// The id of an answer to one of our requests, which are numbers. Empty: it is not one of ours.
std::optional<std::uint64_t> wire_id_of(std::string_view token);

}  // namespace fanfare::upstream
