#pragma once
// Named topics over all loops of a process, each with numbered events (docs/hub.md). This is the part that
// any thread may use; LoopHub is the part that lies on a loop.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"
#include "pubsub/event_store.h"
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

// What a store's thread reaches the loops through: its topics may outlive the hub. Any thread.
class HubGate {
 public:
  // nullptr: nothing is posted any more, and no call is under way.
  void set(HubLoops* loops) {
    const std::scoped_lock lock(mutex_);
    loops_ = loops;
  }
  bool post(std::size_t loop, HubLoops::Task task) {
    const std::scoped_lock lock(mutex_);
    return loops_ != nullptr && loops_->post(loop, std::move(task));
  }
  std::size_t count() {
    const std::scoped_lock lock(mutex_);
    return loops_ == nullptr ? 0 : loops_->count();
  }

 private:
  std::mutex mutex_;  // guards loops_
  HubLoops* loops_ = nullptr;
};

class Hub final : public RelaySink {
 public:
  // The random source is used under the hub's lock.
  Hub(HubOptions options, Random& random) : options_(options), random_(random) {}
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;
  // No loop runs a task of the hub any more.
  ~Hub();

  // Before publish() is called by anyone, once. The loops outlive the hub's last call.
  void attach(HubLoops& loops);
  // Before attach(). The relay outlives the hub, which starts it in attach() and stops it in stop_relay().
  void set_relay(Relay& relay) { relay_ = &relay; }
  // Nothing comes from the relay when it returns. Not on a loop that the relay's calls may wait for. Any thread, again
  // and at once.
  void stop_relay();
  // Before add() of a topic with TopicSetup::stored, once.
  void set_store(std::shared_ptr<EventStore> store) { store_ = std::move(store); }
  bool has_store() const { return store_ != nullptr; }
  // After the loops have ended: waits until what they gave to the store is on disk, and lets go of it.
  void stop_store();

  // Any thread. An error names what cannot be used, or the limit. A topic with TopicSetup::stored reads the disk.
  std::expected<std::shared_ptr<Topic>, std::string> add(std::string name, TopicSetup setup);
  // Null: there is none.
  std::shared_ptr<Topic> find(std::string_view name) const;
  // Subscribers get what was accepted before and then TopicNotice::removed. False: it was removed before. The
  // name is free for another topic, which has another epoch.
  bool remove(Topic& topic);
  std::size_t topic_count() const;

  // Any thread. With `accepted`, the receipt is called once. `after`, for relayed topics: as in Relay::publish().
  PublishResult publish(const std::shared_ptr<Topic>& topic, SharedBytes payload, Receipt receipt = {},
                        std::optional<Position> after = {});
  // As Relay::payload_bytes_max(). Any thread, from attach() on.
  std::size_t relay_payload_bytes_max() const {
    return relay_ == nullptr ? SIZE_MAX : relay_->payload_bytes_max();
  }
  // As Relay::want_larger_payloads(). Any thread, from attach() on.
  void want_larger_relay_payloads() const {
    if (relay_ != nullptr) relay_->want_larger_payloads();
  }
  bool is_relay_down() const { return relay_down_.load(std::memory_order_acquire); }
  const PendingRoom& room() const { return *room_; }

  // For LoopHub.
  std::size_t home_of(const Topic& topic) const { return topic.id % loops()->count(); }
  HubLoops* loops() const { return loops_.load(std::memory_order_acquire); }
  const std::shared_ptr<HubGate>& gate() const { return gate_; }
  std::uint64_t new_epoch();
  // Whether the topic is read from a broker only while somebody subscribes to it.
  bool reads_on_demand(const Topic& topic) const { return topic.setup.relayed && relay_->reads_on_demand(); }
  // Null: the topic's presence is that of this instance alone, or it has none.
  RelayedPresence* presence_of(const Topic& topic) const {
    return topic.setup.relayed && topic.setup.presence && relay_runs_ ? relay_->presence() : nullptr;
  }
  // On its home loop, of a relay that reads on demand.
  void open_at_relay(Topic& topic);
  void close_at_relay(const Topic& topic);
  void read_at_relay(const Topic& topic, Position after, std::size_t bytes_max, Relay::Read done);

  bool on_message(std::string_view name, Position position, SharedBytes payload) override;
  void on_lost(std::string_view name, Position until) override;
  void on_current(std::string_view name, std::uint64_t opening) override;
  void on_down() override { set_relay_down(true); }
  void on_back() override { set_relay_down(false); }

  static constexpr std::size_t kNameBytesMax = 1024;
  static constexpr std::size_t kMemberBytesMax = 256;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::expected<std::shared_ptr<Topic>, std::string> make(const std::string& name, TopicSetup setup);
  void prepare(const std::shared_ptr<Topic>& topic);
  PublishResult offer(const std::shared_ptr<Topic>& topic, SharedBytes payload, Receipt receipt,
                      std::optional<Position> after);
  PublishResult offer_to_relay(const std::shared_ptr<Flight>& flight, std::optional<Position> after);
  void set_relay_down(bool is_down);

  const HubOptions options_;
  Random& random_;
  std::shared_ptr<PendingRoom> room_ =
      std::make_shared<PendingRoom>(options_.pending_messages_max, options_.pending_bytes_max);
  std::atomic<HubLoops*> loops_ = nullptr;
  const std::shared_ptr<HubGate> gate_ = std::make_shared<HubGate>();
  std::shared_ptr<EventStore> store_;
  Relay* relay_ = nullptr;
  std::atomic<bool> relay_runs_ = false;
  std::mutex relay_stop_;  // held while the relay stops
  std::atomic<std::uint64_t> next_id_ = 0;
  std::atomic<std::uint64_t> last_opening_ = 0;  // at the relay, of all topics
  std::atomic<bool> relay_down_ = true;
  mutable std::shared_mutex mutex_;  // guards what follows
  std::unordered_map<std::string, std::shared_ptr<Topic>, Hash, std::equal_to<>> topics_;
};

}  // namespace fanfare::pubsub
