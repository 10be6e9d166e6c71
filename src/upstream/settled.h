#pragma once
// Which answers can never change, so that they may be kept: what is named by a block's hash, and what is
// named by the number of a block that is final.

#include <cstdint>
#include <optional>
#include <string_view>

namespace fanfare::upstream {

// The number of the block from whose finality on the answer stands for ever; 0: it always does. Empty: it may
// change. Tags ("latest", "finalized") and what is asked by a transaction's hash are never settled.
// `params_raw` is valid JSON.
std::optional<std::uint64_t> settled_from(std::string_view method, std::string_view params_raw);

}  // namespace fanfare::upstream
