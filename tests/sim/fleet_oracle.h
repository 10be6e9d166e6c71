#pragma once
// What is true, and what therefore must hold. Everything that the broker stores and everything that a client gets comes here.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shared_bytes.h"
#include "fanfare/topic.h"

namespace fanfare::fleet {

// The broker's stream of a hub topic.
std::string stream_of_topic(std::string_view topic);
inline constexpr std::string_view kRelayName = "fleet";

class Oracle {
 public:
  // The broker has stored an event; or has lost those behind `after`, up to `until`.
  void stored(const std::string& stream, Position at, const SharedBytes& payload);
  void lost(const std::string& stream, std::uint64_t after, std::uint64_t until);

  // An instance's relay passes an event on to the hub, directly behind `before`, which it passed on as well: the broker must have stored
  // them in this order, with nothing in between.
  void delivered(const std::string& topic, Position at, const SharedBytes& payload,
                 const SharedBytes& before);

  // A client got an event of a topic of a program, or a value of a stream.
  void seen(const std::string& topic, Position at, const std::string& text);
  // A client was told that it misses these. `may_drop`: it may be too slow.
  void missed(const std::string& topic, const Missed& missed, bool may_drop);

  // An event of a topic of a program was accepted, and its receipt came.
  void accepted(const std::string& text, std::uint64_t process);
  void receipt(const std::string& topic, const std::string& text, std::optional<Position> at);
  // Its receipts do not come any more.
  void ended(std::uint64_t process);

  // The broker has lost events, and nobody noticed before it gave their places to others: docs/relay.md says that it may. Clients of that
  // epoch are not compared.
  bool is_doubtful(const std::string& topic, std::uint64_t epoch) const;
  // Of a topic at the broker, at the end.
  Position end_of(const std::string& topic) const;
  // At the end, in quiet.
  void check_end() const;

  struct Sums {
    std::uint64_t stored = 0, seen = 0, missed = 0, receipts = 0, lost = 0, given_twice = 0,
                  given_twice_unseen = 0;
  };
  Sums sums;

 private:
  struct Event {
    std::string text;  // of a stream: the value's JSON, or a notice
    bool is_lost = false;
    std::vector<std::uint64_t> entries = {};  // new ones, of a stream of those
    SharedBytes payload = {};                 // as it is: the same bytes go to each instance
    SharedBytes before = {};                  // of the event behind which it was stored; empty: of none
  };
  using Events = std::multimap<Position, Event>;  // two of one place: one was lost

  // Each text of a program is stored once in an epoch, and each new entry of a stream.
  void check_once(const std::string& stream, Position at, const std::string& text);
  void check_entries(const std::string& stream, Position at, const std::vector<std::uint64_t>& entries);
  bool is_kept(const std::string& stream, Position at) const;

  std::map<std::string, Events> streams_;
  std::map<std::string, std::map<Position, std::string>> seen_;  // by topic
  std::map<std::string, std::uint64_t> waiting_;              // accepted texts without a receipt, and whose
  std::set<std::pair<std::string, std::uint64_t>> doubtful_;  // streams and their epochs
};

}  // namespace fanfare::fleet
