#include "trace/request_id.h"

#include <algorithm>

namespace fanfare::trace {
namespace {

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~:/+=@").contains(c);
}

}  // namespace

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= kRequestIdBytesMax && std::ranges::all_of(text, is_id_character);
}

// FNV-1a over the id and the index, and the mixer of SplitMix64: FNV alone leaves the high bits of short texts alike.
std::uint64_t sample_of(std::string_view id, std::uint64_t index) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3U; };
  for (const char c : id) add(static_cast<std::uint8_t>(c));
  for (unsigned shift = 0; shift < 64; shift += 8) add(static_cast<std::uint8_t>(index >> shift));
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31U);
}

}  // namespace fanfare::trace
