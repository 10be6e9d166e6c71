#pragma once
// Which networks share a worker thread, if there are more networks than threads.
//
//   projects of the networks: a a a b c, threads_max 5  ->  0 1 2 3 4     a thread a network
//                                        threads_max 4  ->  0 1 0 2 3     a shares with itself
//                                        threads_max 3  ->  0 0 0 1 2
//                                        threads_max 2  ->  0 0 0 1 1     now projects share, too
//
// A project shares with itself first: if its nodes block a thread, they affect its own networks.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace fanfare::gateway {

// The thread of each network, as indexes from 0 without gaps. `projects`: the project of each network.
// `threads_max`: at least 1.
std::vector<std::size_t> share_threads(std::span<const std::string_view> projects, std::size_t threads_max);

}  // namespace fanfare::gateway
