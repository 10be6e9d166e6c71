#pragma once
// Which block a node must have, so that its answer to a call is not older than what the caller was shown.

#include <cstdint>
#include <string_view>

namespace fanfare::upstream {

// The number of the block that a node must have, if the caller was shown block `shown`; 0: any node can
// answer. Only reads at a height depend on a block:
//
//   a numbered block                    that block, if the caller can know of it; else `shown`
//   "latest", other tags, and hashes    `shown`: the block may be as new as that
//   nothing in the chain, writes,       0
//   unknown methods
//
// `params_raw` is valid JSON or empty.
std::uint64_t head_needed(std::string_view method, std::string_view params_raw, std::uint64_t shown);

}  // namespace fanfare::upstream
