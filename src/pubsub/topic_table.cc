#include "pubsub/topic_table.h"

#include "base/check.h"

namespace fanfare::pubsub {
namespace {

// Ten thousand subscribers do not fit into the caches near the core, so they are prefetched.
constexpr std::size_t kPrefetchDistance = 8;

}  // namespace

std::uint32_t TopicTable::topic_for(TopicKey key) {
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) return found->second;
  std::uint32_t index = 0;
  if (free_topics_.empty()) {
    index = static_cast<std::uint32_t>(topics_.size());
    topics_.emplace_back();
  } else {
    index = free_topics_.back();
    free_topics_.pop_back();
  }
  topics_[index].key = key;
  by_key_.emplace(key, index);
  return index;
}

Ticket TopicTable::subscribe(TopicKey key, Subscriber& subscriber) {
  const std::uint32_t topic_index = topic_for(key);
  Topic& topic = topics_[topic_index];

  std::uint32_t slot_index = 0;
  if (free_slots_.empty()) {
    slot_index = static_cast<std::uint32_t>(slots_.size());
    FANFARE_CHECK(slot_index != kNowhere);
    slots_.emplace_back();
  } else {
    slot_index = free_slots_.back();
    free_slots_.pop_back();
  }
  Slot& slot = slots_[slot_index];
  slot.topic = topic_index;
  slot.position = static_cast<std::uint32_t>(topic.subscribers.size());
  topic.subscribers.push_back(&subscriber);
  topic.slots.push_back(slot_index);
  ++live_;
  return {slot_index, slot.generation};
}

bool TopicTable::unsubscribe(Ticket ticket) {
  if (ticket.slot >= slots_.size()) return false;
  Slot& slot = slots_[ticket.slot];
  if (slot.topic == kNowhere || slot.generation != ticket.generation) return false;

  const std::uint32_t topic_index = slot.topic;
  const std::uint32_t position = slot.position;
  slot.topic = kNowhere;
  if (++slot.generation == 0) slot.generation = 1;
  free_slots_.push_back(ticket.slot);
  --live_;

  Topic& topic = topics_[topic_index];
  if (topic.delivering > 0) {
    // Moving entries now would make the running delivery skip or repeat a subscriber.
    topic.subscribers[position] = nullptr;
    ++topic.left;
    return true;
  }
  remove_at(topic, position);
  retire_if_empty(topic_index);
  return true;
}

void TopicTable::remove_at(Topic& topic, std::uint32_t position) {
  const std::size_t last = topic.subscribers.size() - 1;
  if (position != last) {
    topic.subscribers[position] = topic.subscribers[last];
    topic.slots[position] = topic.slots[last];
    // The moved entry may itself have been removed; its slot then belongs to another subscription.
    if (topic.subscribers[position] != nullptr) slots_[topic.slots[position]].position = position;
  }
  topic.subscribers.pop_back();
  topic.slots.pop_back();
}

std::size_t TopicTable::publish(TopicKey key, const SharedBytes& frame, const Subscriber* except) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return 0;
  const std::uint32_t index = found->second;
  Topic& topic = topics_[index];
  ++counters_.published;

  std::size_t taken = 0;
  ++topic.delivering;
  const std::size_t count = topic.subscribers.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kPrefetchDistance < count) __builtin_prefetch(topic.subscribers[i + kPrefetchDistance], 1);
    Subscriber* subscriber = topic.subscribers[i];
    if (subscriber == nullptr || subscriber == except) continue;
    try {
      if (subscriber->deliver(frame)) {
        ++taken;
      } else {
        ++counters_.refused;
      }
    } catch (...) {
      // Out of memory for one subscriber's queue must not prevent delivery to the others.
      ++counters_.failed;
    }
  }
  --topic.delivering;
  counters_.delivered += taken;
  if (topic.delivering == 0 && topic.left > 0) sweep(index);
  return taken;
}

void TopicTable::sweep(std::uint32_t index) {
  Topic& topic = topics_[index];
  for (std::size_t i = topic.subscribers.size(); i-- > 0;) {
    if (topic.subscribers[i] == nullptr) remove_at(topic, static_cast<std::uint32_t>(i));
  }
  topic.left = 0;
  retire_if_empty(index);
}

void TopicTable::retire_if_empty(std::uint32_t index) {
  Topic& topic = topics_[index];
  if (!topic.subscribers.empty()) return;
  by_key_.erase(topic.key);
  topic = Topic{};
  free_topics_.push_back(index);
}

std::size_t TopicTable::subscribers(TopicKey key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return 0;
  const Topic& topic = topics_[found->second];
  return topic.subscribers.size() - topic.left;
}

}  // namespace fanfare::pubsub
