#include "pubsub/hub.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "pubsub/loop_hub.h"

namespace fanfare::pubsub {
namespace {

constexpr std::uint64_t kEpochMask = (std::uint64_t{1} << 53U) - 1;  // JavaScript's Number.MAX_SAFE_INTEGER

}  // namespace

Hub::~Hub() {
  stop_relay();
  stop_store();
}

void Hub::attach(HubLoops& loops) {
  FANFARE_CHECK(this->loops() == nullptr);
  gate_->set(&loops);
  {
    const std::shared_lock lock(mutex_);
    loops_.store(&loops, std::memory_order_release);
    for (const auto& [name, topic] : topics_) prepare(topic);
  }
  if (relay_ == nullptr) return;
  relay_runs_ = true;
  relay_->start(*this);
  const std::shared_lock lock(mutex_);
  for (const auto& [name, topic] : topics_) {
    if (topic->setup.relayed && !relay_->reads_on_demand()) relay_->open(name, {});
  }
}

void Hub::stop_relay() {
  const std::scoped_lock lock(relay_stop_);
  if (relay_runs_.exchange(false)) relay_->stop();
}

void Hub::stop_store() {
  gate_->set(nullptr);
  std::vector<std::shared_ptr<Topic>> stored;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [name, topic] : topics_) {
      if (topic->stored != nullptr) stored.push_back(topic);
    }
  }
  for (const auto& topic : stored) topic->stored->store->close();
  store_.reset();
}

std::uint64_t Hub::new_epoch() {
  const std::unique_lock lock(mutex_);
  std::uint64_t epoch = 0;
  while (epoch == 0) epoch = random_.next_u64() & kEpochMask;
  return epoch;
}

// Not under the hub's lock: it may read the disk.
std::expected<std::shared_ptr<Topic>, std::string> Hub::make(const std::string& name, TopicSetup setup) {
  const std::uint64_t epoch = new_epoch();
  const std::uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  if (setup.stored.messages_max == 0 || setup.stored.bytes_max == 0) {
    auto made = std::make_shared<Topic>(name, std::move(setup), id, epoch);
    made->is_current = !reads_on_demand(*made);
    return made;
  }
  if (store_ == nullptr) return std::unexpected("a topic that is stored on disk needs a store");
  // Otherwise the file would be full again and again, and each time the topic would begin without its history.
  if (setup.stored.bytes_max > store_->bytes_max())
    return std::unexpected("stored.bytes_max: at most the store's file_bytes_max");
  const auto address = std::make_shared<std::weak_ptr<Topic>>();
  auto opened = store_->open(
      name, {.on_disk = setup.stored, .in_memory = setup.history, .new_epoch = epoch},
      [address, id, gate = gate_](const StoreReport& report) {
        auto topic = address->lock();
        const std::size_t loops = gate->count();
        if (topic == nullptr || loops == 0) return;
        gate->post(id % loops, [topic, report](LoopHub& home) { home.take_report(topic, report); });
      });
  if (!opened) return std::unexpected(std::move(opened.error()));
  auto stored = std::make_unique<StoredPart>(*std::move(opened), store_->times());
  const Position last = stored->last;
  auto topic = std::make_shared<Topic>(name, std::move(setup), id, last, std::move(stored));
  *address = topic;
  return topic;
}

// Each loop takes the stored events, so that they are kept by its log only.
void Hub::prepare(const std::shared_ptr<Topic>& topic) {
  HubLoops* const loops = this->loops();
  if (topic->stored == nullptr || loops == nullptr) return;
  for (std::size_t i = 0; i < loops->count(); ++i) {
    loops->post(i, [topic](LoopHub& loop) { loop.prepare(topic); });
  }
}

std::expected<std::shared_ptr<Topic>, std::string> Hub::add(std::string name, TopicSetup setup) {
  if (name.empty() || name.size() > kNameBytesMax)
    return std::unexpected("a topic's name has 1 to 1024 bytes");
  if (setup.relayed && relay_ == nullptr) return std::unexpected("a relayed topic needs a relay");
  if (setup.relayed && setup.presence && relay_->presence() == nullptr)
    return std::unexpected("presence: the relay of this hub does not carry it; that of fanfare/nats.h does");
  if (setup.relayed && setup.presence && setup.limits.presence_members_max == 0)
    return std::unexpected("limits.presence_members_max: more than zero");
  if (setup.presence_interval <= Duration::zero())
    return std::unexpected("presence_interval: more than zero");
  if (setup.history.age_max < setup.history.age_max.zero())
    return std::unexpected("history.age_max: not below zero");
  if (setup.stored.age_max < setup.stored.age_max.zero())
    return std::unexpected("stored.age_max: not below zero");
  if (setup.relayed && setup.stored.messages_max > 0)
    return std::unexpected("a relayed topic is not stored on disk: its broker keeps it");
  if (find(name) != nullptr) return std::unexpected("there is a topic '" + name + "' already");
  auto topic = make(name, std::move(setup));
  if (!topic) return topic;
  {
    const std::unique_lock lock(mutex_);
    if (topics_.contains(name)) return std::unexpected("there is a topic '" + name + "' already");
    if (topics_.size() >= options_.topics_max) return std::unexpected("there are topics_max topics already");
    topics_.emplace(std::move(name), *topic);
    prepare(*topic);
  }
  if ((*topic)->setup.relayed && relay_runs_ && !relay_->reads_on_demand()) relay_->open((*topic)->name, {});
  return topic;
}

std::shared_ptr<Topic> Hub::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second;
}

std::size_t Hub::topic_count() const {
  const std::shared_lock lock(mutex_);
  return topics_.size();
}

bool Hub::remove(Topic& topic) {
  std::shared_ptr<Topic> held;
  {
    const std::unique_lock lock(mutex_);
    if (topic.removed.exchange(true, std::memory_order_acq_rel)) return false;
    const auto found = topics_.find(topic.name);
    FANFARE_CHECK(found != topics_.end() && found->second.get() == &topic);
    held = std::move(found->second);
    topics_.erase(found);
  }
  // Otherwise its home loop closes it.
  if (topic.setup.relayed && relay_runs_ && !relay_->reads_on_demand()) relay_->close(topic.name, 0);
  if (topic.stored != nullptr) topic.stored->store->erase();
  if (HubLoops* const loops = this->loops()) {
    loops->post(home_of(topic), [held](LoopHub& home) { home.end_topic(held); });
  }
  return true;
}

PublishResult Hub::publish(const std::shared_ptr<Topic>& topic, SharedBytes payload, Receipt receipt,
                           std::optional<Position> after) {
  const PublishResult result = offer(topic, std::move(payload), std::move(receipt), after);
  if (result != PublishResult::accepted) {
    topic->refusals[static_cast<std::size_t>(result)].fetch_add(1, std::memory_order_relaxed);
  }
  return result;
}

PublishResult Hub::offer(const std::shared_ptr<Topic>& topic, SharedBytes payload, Receipt receipt,
                         std::optional<Position> after) {
  HubLoops* const loops = this->loops();
  if (loops == nullptr) return PublishResult::stopped;
  if (topic->is_removed()) return PublishResult::removed;
  const auto flight = std::make_shared<Flight>(topic, room_, std::move(payload), std::move(receipt));
  PublishResult result = flight->take_room();
  if (result == PublishResult::accepted && topic->setup.relayed) {
    result = offer_to_relay(flight, after);
  } else if (result == PublishResult::accepted &&
             !loops->post(home_of(*topic), [flight](LoopHub& home) { home.sequence(flight); })) {
    result = PublishResult::stopped;
  }
  if (result != PublishResult::accepted) flight->forget_receipt();
  return result;
}

PublishResult Hub::offer_to_relay(const std::shared_ptr<Flight>& flight, std::optional<Position> after) {
  if (!relay_runs_) return PublishResult::stopped;
  const bool may_take = !is_relay_down() || relay_->takes_while_down() ||
                        flight->topic->setup.when_relay_down == WhenRelayDown::keep;
  const bool taken =
      may_take && relay_->publish(
                      flight->topic->name, flight->payload,
                      [flight](std::optional<Position> position) { flight->tell(position); }, after);
  return taken ? PublishResult::accepted : PublishResult::relay_unavailable;
}

bool Hub::on_message(std::string_view name, Position position, SharedBytes payload) {
  auto topic = find(name);
  if (topic == nullptr || !topic->setup.relayed || position.offset == 0) return true;
  const auto flight = std::make_shared<Flight>(std::move(topic), room_, std::move(payload), Receipt());
  flight->position = position;
  if (flight->take_room() != PublishResult::accepted) return false;
  loops()->post(home_of(*flight->topic), [flight](LoopHub& home) { home.relayed().take(flight); });
  return true;
}

void Hub::on_lost(std::string_view name, Position until) {
  auto topic = find(name);
  if (topic == nullptr || !topic->setup.relayed) return;
  const auto flight = std::make_shared<Flight>(std::move(topic), room_, SharedBytes(), Receipt());
  flight->position = until;
  loops()->post(home_of(*flight->topic), [flight](LoopHub& home) { home.relayed().take_lost(flight); });
}

void Hub::on_current(std::string_view name, std::uint64_t opening) {
  auto topic = find(name);
  if (topic == nullptr || !topic->setup.relayed) return;
  loops()->post(home_of(*topic),
                [topic, opening](LoopHub& home) { home.relayed().take_current(topic, opening); });
}

void Hub::open_at_relay(Topic& topic) {
  if (!relay_runs_) return;
  topic.opening = last_opening_.fetch_add(1, std::memory_order_relaxed) + 1;
  relay_->open(topic.name,
               {.after = {.epoch = topic.assigned_epoch.load(std::memory_order_relaxed),
                          .offset = topic.assigned_offset.load(std::memory_order_relaxed)},
                .recent_max = std::max(topic.setup.history.messages_max, topic.setup.observed_max),
                .opening = topic.opening});
}

void Hub::close_at_relay(const Topic& topic) {
  if (relay_runs_) relay_->close(topic.name, topic.opening);
}

void Hub::read_at_relay(const Topic& topic, Position after, std::size_t bytes_max, Relay::Read done) {
  if (relay_runs_) relay_->read(topic.name, after, bytes_max, std::move(done));
}

void Hub::set_relay_down(bool is_down) {
  if (relay_down_.exchange(is_down, std::memory_order_acq_rel) == is_down) return;
  HubLoops* const loops = this->loops();
  for (std::size_t i = 0; i < loops->count(); ++i) {
    loops->post(i, [is_down](LoopHub& loop) {
      loop.relayed().tell(is_down ? TopicNotice::degraded : TopicNotice::restored);
    });
  }
}

}  // namespace fanfare::pubsub
