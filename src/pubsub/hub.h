#pragma once
// Named topics over all loops of a process, each with numbered events (docs/hub.md). This is the part that
// any thread may use; LoopHub is the part that lies on a loop.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"
#include "pubsub/relay.h"
#include "pubsub/topic.h"

namespace fanfare::pubsub {

class LoopHub;

// The loops of a server, as the hub sees them. Any thread.
class HubLoops {
 public:
  using Task = UniqueFunction<void(LoopHub&)>;

  virtual std::size_t count() const = 0;
  // Runs the task on the loop's thread with its LoopHub, later, in the order of the calls of one thread.
  // False: the loop has ended, and the task was destroyed. A task that the loop does not come to is
  // destroyed.
  virtual bool post(std::size_t loop, Task task) = 0;

 protected:
  ~HubLoops() = default;
};

class Hub final : public RelaySink {
 public:
  // The random source is used within add() only, by one thread at a time.
  Hub(HubOptions options, Random& random) : options_(options), random_(random) {}
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;
  // No loop runs a task of the hub any more.
  ~Hub();

  // Before publish() is called by anyone, once. The loops outlive the hub's last call.
  void attach(HubLoops& loops);
  // Before attach(). The relay outlives the hub, which starts it in attach() and stops it in stop_relay().
  void set_relay(Relay& relay) { relay_ = &relay; }
  // Nothing comes from the relay when it returns. Not on a loop that the relay's calls may wait for.
  void stop_relay();

  // Any thread. An error names what cannot be used, or the limit.
  std::expected<std::shared_ptr<Topic>, std::string> add(std::string name, TopicSetup setup);
  // Null: there is none.
  std::shared_ptr<Topic> find(std::string_view name) const;
  // Subscribers get what was accepted before and then TopicNotice::removed. False: it was removed before. The
  // name is free for another topic, which has another epoch.
  bool remove(Topic& topic);
  std::size_t topic_count() const;

  // Any thread. With `accepted`, the receipt is called once.
  PublishResult publish(const std::shared_ptr<Topic>& topic, SharedBytes payload, Receipt receipt = {});
  bool is_relay_down() const { return relay_down_.load(std::memory_order_acquire); }
  const PendingRoom& room() const { return *room_; }

  // For LoopHub.
  std::size_t home_of(const Topic& topic) const { return topic.id % loops()->count(); }
  HubLoops* loops() const { return loops_.load(std::memory_order_acquire); }

  bool on_message(std::string_view name, Position position, SharedBytes payload) override;
  void on_lost(std::string_view name, Position until) override;
  void on_down() override { set_relay_down(true); }
  void on_back() override { set_relay_down(false); }

  static constexpr std::size_t kNameBytesMax = 1024;
  static constexpr std::size_t kMemberBytesMax = 256;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  PublishResult offer(const std::shared_ptr<Topic>& topic, SharedBytes payload, Receipt receipt);
  PublishResult offer_to_relay(const std::shared_ptr<Flight>& flight);
  void set_relay_down(bool is_down);

  const HubOptions options_;
  Random& random_;
  std::shared_ptr<PendingRoom> room_ =
      std::make_shared<PendingRoom>(options_.pending_messages_max, options_.pending_bytes_max);
  std::atomic<HubLoops*> loops_ = nullptr;
  Relay* relay_ = nullptr;
  std::atomic<bool> relay_runs_ = false;
  std::atomic<bool> relay_down_ = true;
  mutable std::shared_mutex mutex_;  // guards what follows
  std::unordered_map<std::string, std::shared_ptr<Topic>, Hash, std::equal_to<>> topics_;
  std::uint64_t next_id_ = 0;
};

}  // namespace fanfare::pubsub
