#pragma once
// A stream of the process: its hub topic, and the state of its publisher. Any thread.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/topic.h"
#include "pubsub/hub.h"
#include "streams/json.h"
#include "streams/messages.h"
#include "streams/shared_topic.h"

namespace fanfare::streams {

// Totals since the start.
struct StreamCounters {
  std::atomic<std::uint64_t> values = 0;         // published
  std::atomic<std::uint64_t> refused = 0;        // values that the hub did not take, or that were too long
  std::atomic<std::uint64_t> polls = 0;          // that ended with a usable answer
  std::atomic<std::uint64_t> polls_failed = 0;   // that did not
  std::atomic<std::uint64_t> interruptions = 0;  // times the stream became interrupted
  std::atomic<std::uint64_t> pauses = 0;         // times without polls that subscribers were told of
};

class Stream {
 public:
  // The topic is one of the hub's, made with topic_setup(). The hub must outlive the stream. `shared`: null, unless other
  // instances have the stream as well.
  Stream(pubsub::Hub& hub, std::shared_ptr<pubsub::Topic> topic, StreamInfo info, std::size_t value_bytes_max,
         std::shared_ptr<SharedTopic> shared = nullptr);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  static pubsub::TopicSetup topic_setup(const HistoryLimits& history, TopicPolicy policy,
                                        const std::shared_ptr<SharedTopic>& shared = nullptr);

  // What is known of a shared stream, by its events.
  struct Known {
    std::optional<Json> last;      // value
    std::int64_t seconds = 0;      // of the last event; zero: there was none
    bool owes_value = false;       // after a notice
    std::vector<Json> new_values;  // since the last turn
  };
  // Before the functions below, for each poll. A shared stream is published in turns: false means that this poll must publish
  // nothing, because it is not known yet what became of the last one.
  bool begin_turn();
  // Whether it would begin, as far as is known: a poll is worth its while.
  bool is_ready() const { return shared_ == nullptr || shared_->is_ready(); }
  // As of the turn's beginning; empty: the stream is not shared. The publisher's own memory may be of events that others
  // followed, or that were refused.
  std::optional<Known> take_known();

  enum class Published : std::uint8_t { yes, refused, too_long };
  // A value, with the time that it shows to clients. refused: the hub is at a limit or stopped; the next value is
  // complete, not a patch against this one.
  Published publish(const Json& value, std::int64_t seconds);
  // Subscribers are notified once, until restore(). The reason is for people.
  void interrupt(std::string_view reason, std::int64_t seconds);
  void restore(std::int64_t seconds);
  // For a source that publishes only changes: the last value follows, if there is one.
  void restore_with_last(std::int64_t seconds);
  // Records that nothing is known about the time between the two polls; a value must follow. False: the hub took nothing.
  bool pause(std::int64_t from_seconds, std::int64_t until_seconds);
  bool is_interrupted() const {
    return shared_ != nullptr ? shared_->is_interrupted() : interrupted_.load(std::memory_order_relaxed);
  }
  // Why it is, or was last.
  std::string reason() const;
  // Of a shared stream: as of the turn's beginning.
  bool has_published() const {
    return shared_ != nullptr ? last_.has_value() : counters.values.load(std::memory_order_relaxed) > 0;
  }

  // Subscribers of all loops. `watched` is called when the first one comes, on its loop's thread. An earlier one may be under way
  // when this returns.
  void on_watched(std::function<void()> watched);
  void add_watcher();
  void remove_watcher() { watchers_.fetch_sub(1, std::memory_order_acq_rel); }
  std::size_t watchers() const { return watchers_.load(std::memory_order_acquire); }

  bool is_shared() const { return shared_ != nullptr; }
  // The connection to the other instances is down, or they store nothing.
  bool is_degraded() const { return is_shared() && hub_.is_relay_down(); }
  const std::string& name() const { return name_; }
  // For clients.
  StreamInfo info() const;
  // How it is polled from now on. Its events go on.
  void set_polling(std::int64_t interval_ms, bool on_change);
  const std::shared_ptr<pubsub::Topic>& topic() const { return topic_; }
  // A longer value is not published. The history holds the last two whatever their size, and a shared stream's broker takes it.
  std::size_t value_bytes_max() const { return std::min(value_bytes_max_, shared_bytes_max()); }
  // Why a value of that size is not published, for subscribers; empty: it is.
  std::string problem_with_size(std::size_t bytes) const;

  StreamCounters counters;

 private:
  bool offer(const Record& record);
  // Of a shared stream: what a record may hold, by what its broker takes.
  std::size_t shared_bytes_max() const;
  // With the mutex held.
  Published publish_next(Json value, std::int64_t seconds);
  bool end_interruption(std::int64_t seconds);

  pubsub::Hub& hub_;
  const std::shared_ptr<pubsub::Topic> topic_;
  const std::string name_;
  const std::size_t history_;
  std::atomic<std::int64_t> interval_ms_;
  std::atomic<bool> is_on_change_;
  const std::size_t value_bytes_max_;
  const std::shared_ptr<SharedTopic> shared_;
  std::mutex watched_mutex_;  // guards watched_
  std::function<void()> watched_;
  std::atomic<std::size_t> watchers_ = 0;
  std::atomic<bool> interrupted_ = false;
  mutable std::mutex mutex_;  // guards what follows, and the order of the topic's events
  std::uint64_t serial_ = 0;
  std::optional<Json> last_;  // the last value published; serial_ is its serial
  std::string reason_;
  SharedTopic::Known known_;  // of a shared stream
};

// One subscriber of a stream, for as long as it lives.
class Watch {
 public:
  explicit Watch(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) { stream_->add_watcher(); }
  ~Watch() { stream_->remove_watcher(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  Stream& stream() const { return *stream_; }

 private:
  const std::shared_ptr<Stream> stream_;
};

}  // namespace fanfare::streams
