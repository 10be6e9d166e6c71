#pragma once
// Polls one stream's node while the stream has subscribers: one poll for all of them, at most one in flight. One thread,
// with time as an argument.
//
//   idle      nobody watches: nothing is asked
//   waiting   the next poll begins at next_due()
//   polling   calls are in flight; the next poll begins an interval after this one began, or when it has ended

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "fanfare/unique_function.h"
#include "streams/mapping.h"
#include "streams/new_entries.h"
#include "streams/spec.h"
#include "streams/stream.h"

namespace fanfare::streams {

// The node of a stream.
class Node {
 public:
  // The raw JSON of the call's result, or the reason why there is none, in words for subscribers: without addresses,
  // secrets and the node's own text.
  using Result = std::expected<std::string, std::string>;
  using Done = UniqueFunction<void(Result)>;

  virtual ~Node() = default;
  // `done` is called once, on the poller's thread, never before call() has returned; or it is destroyed unrun when the
  // node ends.
  virtual void call(const CallSpec& call, Done done) = 0;
};

// A time without polls is longer than so many intervals and a second: subscribers of a stream with on_change or new_only hear of
// it, because they would take the silence for an unchanged value, or for no new entries.
inline constexpr double kPauseIntervals = 2.5;

// What a poller knows of what was published: for the poller that follows it.
struct PollerMemory {
  std::optional<NewEntries> new_entries = {};
  std::optional<Json> last = {};  // the last value published, with on_change
  // Of the last poll of which nothing can be lost any more, since 1970; with on_change or new_only. Of a shared stream: whoever polled;
  // a poll that published something counts when that is stored.
  std::optional<std::int64_t> last_seconds = {};
};

class Poller {
 public:
  // Everything referred to must outlive the poller. `rescheduled` is called when next_due() has changed outside of
  // wake() and advance(). `memory`: of an earlier poller of the stream with the same StreamSpec::new_only.
  Poller(const StreamSpec& spec, Stream& stream, Node& node, Clock& clock,
         std::function<void()> rescheduled = {}, PollerMemory memory = {});
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Somebody watches the stream.
  void wake();
  // Begins the poll that is due.
  void advance();
  // The spec has another interval: the next poll begins an interval from now at the latest.
  void interval_changed();
  // The poller must not be used any more.
  PollerMemory take_memory() { return std::move(memory_); }
  // As PollerMemory::last_seconds.
  std::optional<std::int64_t> polled_until() const { return memory_.last_seconds; }
  // Another instance has polled a shared stream until then.
  void note_polled_until(std::int64_t seconds);
  // Nothing is asked any more, before wake().
  void rest() { is_active_ = false; }
  // False: idle.
  bool is_active() const { return is_active_; }
  // When advance() has something to do; Instant::max(): not before wake() or the end of a poll.
  Instant next_due() const;

 private:
  struct Poll;

  void begin();
  void finish(Poll& poll);
  void learn();
  Json document_of(const Poll& poll) const;
  bool tells_of_pauses() const { return spec_.on_change || spec_.new_only.has_value(); }
  // What is wrong with the value, for subscribers; empty: nothing.
  std::string publish(Json value, std::int64_t seconds);
  bool is_news(const Json& value, std::size_t new_entries) const;
  void note_pause(std::int64_t seconds);

  const StreamSpec& spec_;
  Stream& stream_;
  Node& node_;
  Clock& clock_;
  std::function<void()> rescheduled_;
  Mapping mapping_;
  PollerMemory memory_;
  bool owes_value_ = false;  // an interruption or a pause is over, and no value has followed yet
  bool is_active_ = false;   // not idle
  Instant due_{};
  std::shared_ptr<Poll> poll_;  // in flight
};

}  // namespace fanfare::streams
