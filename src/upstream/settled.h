#pragma once
// Which answers can never change, so that they may be cached: reads by a block's hash, and reads by the
// number of a final block.

#include <cstdint>
#include <optional>
#include <string_view>

namespace fanfare::upstream {

// The number of the block whose finality makes the answer permanent; 0: it is always permanent. Empty: it may
// change. Tags ("latest", "finalized") and reads by a transaction's hash are never settled. `params_raw` is
// valid JSON.
std::optional<std::uint64_t> settled_from(std::string_view method, std::string_view params_raw);

}  // namespace fanfare::upstream
