#include "canvasstore/chunk_versions.h"

#include "base/text.h"

namespace fanfare::canvasstore {
namespace {

// The end of a 64-bit mixer, so that two chunks do not make up for each other. Chunks have 16 bits; versions grow by one
// for each tick, and use far less than 48.
std::uint64_t hash_of(std::int64_t chunk, std::uint64_t version) {
  std::uint64_t value = static_cast<std::uint64_t>(chunk) << 48U ^ version;
  value = (value ^ value >> 30U) * 0xbf58476d1ce4e5b9U;
  value = (value ^ value >> 27U) * 0x94d049bb133111ebU;
  return value ^ value >> 31U;
}

}  // namespace

void ChunkVersions::set(std::int64_t chunk, std::uint64_t version) {
  const auto [at, is_new] = versions_.try_emplace(chunk, version);
  if (!is_new) sum_ -= hash_of(chunk, at->second);
  at->second = version;
  sum_ += hash_of(chunk, version);
}

std::string ChunkVersions::text(std::uint64_t tick) const {
  return joined({std::to_string(tick), " ", std::to_string(sum_)});
}

bool ChunkVersions::agrees_with(std::string_view there, std::uint64_t tick) const {
  return !there.starts_with(joined({std::to_string(tick), " "})) || there == text(tick);
}

}  // namespace fanfare::canvasstore
