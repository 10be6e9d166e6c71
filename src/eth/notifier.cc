#include "eth/notifier.h"

#include <utility>

namespace fanfare::eth {

Notifier::Notifier(pubsub::TopicTable& topics, Framer framer, SubscriptionCounters& counters)
    : topics_(topics), framer_(std::move(framer)), counters_(counters) {}

std::size_t Notifier::publish(const SubscriptionTable::Group& group, const Notification& text) {
  // A delivery may drop connections, and the group with the last of them: its index is then used for another.
  const std::uint32_t generation = group.generation;
  const SubscriptionType type = group.type;
  std::size_t taken = 0;
  for (std::size_t i = 0; group.generation == generation && i < group.ids.size(); ++i) {
    const SubscriptionId id = group.ids[i].id;
    if (group.ids[i].holders == 0 || topics_.subscribers(id) == 0) continue;
    const SharedBytes frame = encode(id, text);
    if (group.ids[i].log != nullptr) group.ids[i].log->append(frame);
    taken += topics_.publish(id, frame);
    if (group.generation == generation && group.ids[i].log != nullptr) group.ids[i].log->settle();
  }
  counters_.delivered += taken;
  if (text.member == "result") counters_.results[static_cast<std::size_t>(type)] += taken;
  return taken;
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
