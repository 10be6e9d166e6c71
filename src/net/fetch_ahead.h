#pragma once
// Thousands of streams do not fit into the caches near the core, with what the kernel moves through them
// meanwhile: what a walk over streams needs next is asked for while another one is served.

#include <cstddef>
#include <cstdint>
#include <span>

namespace fanfare::net {

class Stream;

// How many before it is needed: one takes a microsecond or less, memory a tenth of that.
inline constexpr std::size_t kFetchAhead = 2;

// A hint: any address will do, also one where nothing is any more.
inline void fetch_ahead(std::uintptr_t stream) {
  constexpr std::uintptr_t kLine = 64;
  constexpr std::uintptr_t kLines = 3;  // of a session
  for (std::uintptr_t i = 0; i < kLines; ++i) {
    __builtin_prefetch(reinterpret_cast<const void*>(stream + i * kLine), 1);
  }
}

// The list stays as it is meanwhile.
template <typename Visit>
void for_each_fetched(std::span<Stream* const> streams, Visit&& visit) {
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (i + kFetchAhead < streams.size())
      fetch_ahead(reinterpret_cast<std::uintptr_t>(streams[i + kFetchAhead]));
    visit(*streams[i]);
  }
}

}  // namespace fanfare::net
