#include "gateway/network_paths.h"

#include <charconv>
#include <system_error>

namespace fanfare::gateway {
namespace {

std::optional<std::uint64_t> chain_id_of(std::string_view digits) {
  if (digits.empty() || digits.front() == '0') return std::nullopt;
  std::uint64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

std::size_t slot_of(const std::vector<std::size_t>& slots, std::size_t network) {
  return slots.empty() ? network : slots[network];
}

NetworkPaths::NetworkPaths(const ServePlan& plan, const std::vector<std::size_t>& slots) {
  for (std::size_t i = 0; i < plan.networks.size(); ++i) {
    const NetworkPlan& network = plan.networks[i];
    if (network.chain_id) networks_[network.project][*network.chain_id] = slot_of(slots, i);
  }
}

NetworkPaths::Found NetworkPaths::find(std::string_view project, std::string_view chain_id) const {
  const auto networks = networks_.find(project);
  if (networks == networks_.end()) return {.network = std::nullopt, .missing = "unknown project"};
  const auto wanted = chain_id_of(chain_id);
  const auto network = wanted ? networks->second.find(*wanted) : networks->second.end();
  if (network == networks->second.end()) {
    return {.network = std::nullopt, .missing = "unknown chain in this project"};
  }
  return {.network = network->second, .missing = {}};
}

}  // namespace fanfare::gateway
