#pragma once
// Reads of events that the broker still has and memory has not, for subscribers that come from further back. Each stored message is
// asked for by its sequence (JetStream's direct get). No I/O; one thread.
//
//   the first message of a piece -> its size says how many more fit -> those, all at once -> the piece
//   the first one is not there, and does not come -> those behind it, until one is there -> the piece from there on

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "pubsub/relay.h"
#include "relay/reader.h"

namespace fanfare::relay {

class PastReads {
 public:
  struct Broker {
    // Asks for the message; its answer comes to answered() with this id. False: not now.
    std::function<bool(const std::string& topic, std::uint64_t sequence, const std::string& id)> ask;
    // The state of the topic's stream, now. Empty: nobody knows.
    std::function<std::optional<StreamState>(const std::string& topic)> state_of;
  };
  explicit PastReads(Broker broker) : broker_(std::move(broker)) {}

  // Those beyond kAtOnceMax, or kAtOnceOfTopicMax of one topic, wait for their turn; topics take turns.
  void add(std::string topic, Position after, std::size_t bytes_max, pubsub::Relay::Read done, Instant now);
  // `message`: empty: the broker does not have it, or could not say.
  void answered(std::string_view id, std::optional<pubsub::RelayedEvent> message, Instant now);
  // Nothing that was asked is known to have arrived.
  void forget_asked();
  // What is due is asked, again where no answer has come.
  void tick(Instant now);
  // Destroyed uncalled.
  void clear();
  std::size_t size() const { return reads_.size() + waiting_count_; }

  static constexpr std::size_t kAtOnceMax = 32;
  // A topic whose reads take long leaves turns to the others.
  static constexpr std::size_t kAtOnceOfTopicMax = 24;
  static constexpr std::size_t kMessagesMax = 64;  // of a piece
  static constexpr Duration kAnswerWait = std::chrono::seconds(2);
  // A message that its stream should have is not there yet: a broker of a cluster may be behind.
  static constexpr Duration kRetryAfter = std::chrono::milliseconds(100);
  static constexpr int kRetriesMax = 30;
  // Places without a message, as of one that was deleted by hand: known ones are not waited for again. The oldest is forgotten.
  static constexpr std::size_t kHolesMax = 64;

 private:
  struct Hole {
    std::string topic;
    Position begin;
    std::uint64_t next = 0;  // which is there
  };
  struct Read {
    std::string topic;
    Position after;
    std::size_t bytes_max = 0;
    pubsub::Relay::Read done;
    std::uint64_t first = 0;         // that is asked for
    std::uint64_t asked_to = 0;      // up to here; zero: nothing is
    std::uint64_t end = UINT64_MAX;  // this one is not there
    std::map<std::uint64_t, pubsub::RelayedEvent> got;
    Instant due{};  // asked again
    int retries = 0;
    // While the end of a hole is looked for, from `first` on: where the hole begins, the stream's last message, and what was answered.
    std::optional<std::uint64_t> hole_begin;
    std::uint64_t last = 0;
    std::set<std::uint64_t> looked_at;
  };

  using Waiting = std::map<std::string, std::deque<Read>>;  // by topic

  void begin_waiting(Instant now);
  Waiting::iterator next_waiting();
  void ask(std::uint64_t number, Read& read, Instant now);
  // Whether the read has ended.
  bool advance(std::uint64_t number, Read& read, Instant now);
  std::optional<bool> retry_first(Read& read, Instant now);
  static std::uint64_t ask_to(const Read& read);
  static void forget_answers(Read& read);
  // True when the first message behind the hole was found, or the stream has none.
  bool look_behind_hole(std::uint64_t number, Read& read, Instant now);
  void remember(Hole hole);
  std::uint64_t first_behind(const std::string& topic, Position after) const;
  static void finish(Read& read);

  const Broker broker_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Read> reads_;  // by their number, which is in the ids
  Waiting waiting_;
  std::size_t waiting_count_ = 0;
  std::string served_;  // the topic of the last one that has begun
  std::deque<Hole> holes_;
};

}  // namespace fanfare::relay
