#pragma once
// A stream of the process: its hub topic, and the state of its publisher. Any thread.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "fanfare/topic.h"
#include "pubsub/hub.h"
#include "streams/json.h"
#include "streams/messages.h"

namespace fanfare::streams {

// Totals since the start.
struct StreamCounters {
  std::atomic<std::uint64_t> values = 0;         // published
  std::atomic<std::uint64_t> refused = 0;        // values that the hub did not take, or that were too long
  std::atomic<std::uint64_t> polls = 0;          // that ended with a usable answer
  std::atomic<std::uint64_t> polls_failed = 0;   // that did not
  std::atomic<std::uint64_t> interruptions = 0;  // times the stream became interrupted
};

class Stream {
 public:
  // The topic is one of the hub's, made with topic_setup(). The hub must outlive the stream.
  Stream(pubsub::Hub& hub, std::shared_ptr<pubsub::Topic> topic, StreamInfo info,
         std::size_t value_bytes_max);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  static pubsub::TopicSetup topic_setup(const HistoryLimits& history, TopicPolicy policy);

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
  bool is_interrupted() const { return interrupted_.load(std::memory_order_relaxed); }
  // Why it is, or was last.
  std::string reason() const;
  bool has_published() const { return counters.values.load(std::memory_order_relaxed) > 0; }

  // Subscribers of all loops. `watched` is called when the first one comes, on its loop's thread; set it before there
  // are any.
  void on_watched(std::function<void()> watched) { watched_ = std::move(watched); }
  void add_watcher();
  void remove_watcher() { watchers_.fetch_sub(1, std::memory_order_acq_rel); }
  std::size_t watchers() const { return watchers_.load(std::memory_order_acquire); }

  const std::string& name() const { return info_.name; }
  const StreamInfo& info() const { return info_; }
  const std::shared_ptr<pubsub::Topic>& topic() const { return topic_; }
  // A longer value is not published. The history holds the last two whatever their size.
  std::size_t value_bytes_max() const { return value_bytes_max_; }

  StreamCounters counters;

 private:
  bool offer(const Record& record);
  // With the mutex held.
  Published publish_next(Json value, std::int64_t seconds);
  bool end_interruption(std::int64_t seconds);

  pubsub::Hub& hub_;
  const std::shared_ptr<pubsub::Topic> topic_;
  const StreamInfo info_;
  const std::size_t value_bytes_max_;
  std::function<void()> watched_;
  std::atomic<std::size_t> watchers_ = 0;
  std::atomic<bool> interrupted_ = false;
  mutable std::mutex mutex_;  // guards what follows, and the order of the topic's events
  std::uint64_t serial_ = 0;
  std::optional<Json> last_;  // the last value published; serial_ is its serial
  std::string reason_;
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
