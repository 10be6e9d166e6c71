#pragma once
// How much of the chain a call's answer depends on: which block a node must have so that what it says is not
// older than what the caller was shown.

#include <cstdint>
#include <string_view>

namespace fanfare::upstream {

// The number of the block that a node must have, where the caller was shown block `shown`; 0: any node will
// do. Only reads of a height depend on one:
//
//   of a numbered block                 that block, if the caller can know of it; else `shown`
//   of "latest" and the other tags      `shown`, as of what is named by a hash: it may be as new as that
//   of nothing in the chain, writes,    0
//   unknown methods
//
// `params_raw` is valid JSON or empty.
std::uint64_t head_needed(std::string_view method, std::string_view params_raw, std::uint64_t shown);

}  // namespace fanfare::upstream
