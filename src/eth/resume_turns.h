#pragma once
// Of one subscription of a session (resume_record.h): the positions from which reorgs went back, up to which its client may have
// everything. A confirmation covers one if the ping came after all of it was retracted or sent again. No locks: the record's.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_budget.h"
#include "eth/cursor.h"

namespace fanfare::eth {

// A position as a cursor (cursor.h). All subscriptions that reach it share the text.
struct Mark {
  std::shared_ptr<const std::string> cursor = {};  // null: none
  std::uint64_t number = 0;                        // of its block
  std::uint32_t logs_told = 0;

  explicit operator bool() const { return cursor != nullptr; }
  // The same text, not only an equal one.
  friend bool operator==(const Mark& one, const Mark& other) { return one.cursor == other.cursor; }
};
// Of the text of a valid cursor.
Mark mark_of(std::string_view cursor);

class ResumeTurns {
 public:
  struct Turn {
    Mark at;
    Mark sent = {};          // how far the retractions sent on this connection lower it; null: not at all
    Mark pinged = {};        // the same, of the retractions sent before the last ping
    bool is_held = false;    // it is not settled: no confirmation covers it
    bool is_pinged = false;  // the confirmation of the last ping covers it

    const Mark& now() const { return sent ? sent : at; }
  };
  // From where to where it went down.
  struct Lowered {
    Position from;
    Position to;
  };

  const std::vector<Turn>& all() const { return turns_; }
  // What they have taken.
  std::size_t bytes() const;
  // There were more.
  bool is_incomplete() const { return is_incomplete_; }
  void set_incomplete(bool is_incomplete) { is_incomplete_ = is_incomplete; }
  void clear() { turns_.clear(); }

  // Returns whether there is one more. Beyond `most`, or without memory, the oldest one is forgotten. The first takes none.
  bool add(const Mark& at, std::size_t most, ByteHold& memory);
  void remove_last() { turns_.pop_back(); }
  // All but the newest. False: there are none.
  bool forget_older();
  // The last one becomes the first.
  void put_last_first();
  // Another connection has the session: none is settled on it yet. Two that went down to the same position are one.
  void begin();
  void lower(const std::vector<Lowered>& turns);
  // All but these are retracted or sent again.
  void settle(const std::vector<Position>& rest);

  // A ping is being sent. Returns whether its pong will change something.
  bool ping();
  // The client is closing the connection, and has received everything. `all`: it knows that it has missed something.
  void ping_at_end(bool all);
  // The pong of that has arrived.
  void confirm();

 private:
  std::vector<Turn> turns_;
  bool is_incomplete_ = false;
};

}  // namespace fanfare::eth
