#include "gateway/stream_sharing.h"

#include <unistd.h>

#include <array>
#include <utility>

#include "base/random.h"

namespace fanfare::gateway {
namespace {

// For people, and unique.
std::string holder() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + "-" + std::to_string(getpid()) + "-" +
         std::to_string(SystemRandom().next_u64());
}

}  // namespace

StreamSharing::StreamSharing(NatsOptions options)
    : options_(std::move(options)),
      relay_(options_),
      leases_(relay_.link(), options_, holder(),
              [this](const std::string& reason) { relay_.set_refusal(reason); }) {}

// Records are a little longer than what the history counts, and a patch is shorter than its value.
void StreamSharing::keep(std::uint64_t history_messages, std::uint64_t history_bytes) {
  relay_.keep_at_least(history_messages, history_bytes * 2);
}

}  // namespace fanfare::gateway
