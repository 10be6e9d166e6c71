#include "eth/notifier.h"

#include <utility>

namespace fanfare::eth {

Notifier::Notifier(pubsub::TopicTable& topics, Framer framer, SubscriptionCounters& counters)
    : topics_(topics), framer_(std::move(framer)), counters_(counters) {}

std::size_t Notifier::publish(const SubscriptionTable::Group& group, const Notification& text) {
  // A delivery may drop connections, and the group with the last of them: its index is then used for another.
  const std::uint32_t generation = group.generation;
  const SubscriptionType type = group.type;
  const bool is_tracked = group.is_tracked;
  std::size_t taken = 0;
  for (std::size_t i = 0; group.generation == generation && i < group.ids.size(); ++i) {
    const SubscriptionId id = group.ids[i].id;
    if (group.ids[i].holders == 0 || topics_.subscribers(id) == 0) continue;
    const SharedBytes frame = is_tracked ? encode_tracked(id, text) : encode(id, text);
    if (group.ids[i].log != nullptr) group.ids[i].log->append(frame);
    taken += topics_.publish(id, frame);
    if (group.generation == generation && group.ids[i].log != nullptr) group.ids[i].log->settle();
  }
  counters_.delivered += taken;
  if (text.member == "result") counters_.results[static_cast<std::size_t>(type)] += taken;
  return taken;
}

SharedBytes Notifier::encode_tracked(const SubscriptionId& id, const Notification& text) {
  const bool is_same = step_.position && *step_.position.cursor == text.cursor;
  if (!is_same) step_.position = mark_of(text.cursor);
  step_.retracts = text.retracts;
  if (text.member == "notice") return {};
  return encode(id, {.member = text.member, .json = text.json});
}

SharedBytes Notifier::encode(const SubscriptionId& id, const Notification& text) {
  scratch_.clear();
  scratch_.append(R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":")")
      .append(to_text(id))
      .append("\",\"")
      .append(text.member)
      .append("\":")
      .append(text.json);
  if (!text.cursor.empty()) scratch_.append(R"(,"cursor":")").append(text.cursor).append(1, '"');
  scratch_.append("}}");
  ++counters_.encoded;
  return framer_(scratch_);
}

}  // namespace fanfare::eth
