#include "gateway/network_state.h"

#include <utility>

namespace fanfare::gateway {

NetworkState state_of(const Network& network) {
  const Network::Readiness readiness = network.readiness();
  std::string text = "not ready: " + readiness.reason;
  if (readiness.ready) {
    text = "ready, head " + std::to_string(network.head_number()) +
           (readiness.reason.empty() ? "" : "; " + readiness.reason);
  }
  return {.name = network.name(), .ready = readiness.ready, .text = std::move(text)};
}

}  // namespace fanfare::gateway
