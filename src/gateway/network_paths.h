#pragma once
// Which network of a plan the path of a request names: /{project}/evm/{chainId}.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// What names a network of a plan, by its index there. Without slots that is the index.
std::size_t slot_of(const std::vector<std::size_t>& slots, std::size_t network);

// Finds the network of a plan that a path names. All loops share one table.
class NetworkPaths {
 public:
  // The plan's networks that have a chain id. `slots`: what names each of them; empty: its index in the plan.
  explicit NetworkPaths(const ServePlan& plan, const std::vector<std::size_t>& slots = {});

  struct Found {
    std::optional<std::size_t> network;  // its slot
    std::string_view missing;            // the reason if there is no network, for people. Static.
  };
  // A chain id is decimal without leading zeros, so that a network has one URL.
  Found find(std::string_view project, std::string_view chain_id) const;

 private:
  std::map<std::string, std::map<std::uint64_t, std::size_t>, std::less<>> networks_;
};

}  // namespace fanfare::gateway
