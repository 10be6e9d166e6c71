#include "relay/direct_get.h"

#include "base/text.h"
#include "relay/names.h"

namespace fanfare::relay {

bool DirectGet::ask(const std::string& topic, std::uint64_t sequence, const std::string& id) {
  const auto token = token_of(topic);
  if (!token || !link_.is_connected()) return false;
  const std::string request = "{\"seq\":" + std::to_string(sequence) + "}";
  return link_.publish("$JS.API.DIRECT.GET." + stream_of(options_.name, *token),
                       joined({link_.inbox(), kAnswer, id}), as_bytes(request), {});
}

// Without a stream, nothing follows.
std::optional<StreamState> DirectGet::state_of(const std::string& topic) {
  const auto token = token_of(topic);
  if (!token) return StreamState();
  if (!link_.is_connected()) return std::nullopt;
  auto state = jet_stream_.find({.name = options_.name, .token = *token});
  return state ? std::optional(state->value_or(StreamState())) : std::nullopt;
}

std::optional<pubsub::RelayedEvent> DirectGet::event_of(const Incoming& message) {
  if (message.sequence == 0) return std::nullopt;
  return pubsub::RelayedEvent{
      .position = {.epoch = epoch_of(message.subject).value_or(0), .offset = message.sequence},
      .payload = message.payload};
}

}  // namespace fanfare::relay
