#include "devchain/rlp.h"

#include <limits>

namespace fanfare::devchain::rlp {
namespace {

constexpr std::uint8_t kString = 0x80;
constexpr std::uint8_t kList = 0xc0;
constexpr std::size_t kShortMax = 55;

void append_prefix(Blob& out, std::uint8_t base, std::size_t size) {
  if (size <= kShortMax) {
    out.push_back(static_cast<std::uint8_t>(base + size));
    return;
  }
  std::size_t digits = 0;
  for (std::size_t rest = size; rest != 0; rest >>= 8) ++digits;
  out.push_back(static_cast<std::uint8_t>(base + kShortMax + digits));
  while (digits-- > 0) out.push_back(static_cast<std::uint8_t>(size >> (8 * digits)));
}

// The size after a long prefix of `digits` bytes; empty if truncated or not in the shortest form.
std::optional<std::size_t> long_size(Bytes input, std::size_t digits) {
  if (input.size() < 1 + digits || digits > sizeof(std::size_t) || input[1] == 0) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t at = 1; at <= digits; ++at) size = (size << 8) | input[at];
  if (size <= kShortMax) return std::nullopt;
  return size;
}

}  // namespace

void append_raw(Blob& out, Bytes encoded) {
  out.insert(out.end(), encoded.begin(), encoded.end());
}

void append_bytes(Blob& out, Bytes bytes) {
  if (bytes.size() != 1 || bytes[0] >= kString) append_prefix(out, kString, bytes.size());
  append_raw(out, bytes);
}

void append_number(Blob& out, Wei value) {
  const Hash bytes = word(value);
  Bytes digits(bytes);
  while (!digits.empty() && digits.front() == 0) digits = digits.subspan(1);
  append_bytes(out, digits);
}

void append_list(Blob& out, Bytes payload) {
  append_prefix(out, kList, payload.size());
  append_raw(out, payload);
}

Blob list(Bytes payload) {
  Blob out;
  out.reserve(payload.size() + 9);
  append_list(out, payload);
  return out;
}

std::optional<Item> take(Bytes& input) {
  if (input.empty()) return std::nullopt;
  const std::uint8_t first = input[0];
  const bool is_list = first >= kList;
  std::size_t start = 1;
  std::size_t size = 0;
  if (first < kString) {
    start = 0;
    size = 1;
  } else {
    size = first - static_cast<std::size_t>(is_list ? kList : kString);
    if (size > kShortMax) {
      const std::size_t digits = size - kShortMax;
      const auto length = long_size(input, digits);
      if (!length) return std::nullopt;
      start += digits;
      size = *length;
    }
  }
  if (size > input.size() - start) return std::nullopt;
  // A single byte below 0x80 encodes itself; with a prefix it would have a second encoding.
  if (first == kString + 1 && input[1] < kString) return std::nullopt;
  const Item item{
      .is_list = is_list, .payload = input.subspan(start, size), .whole = input.first(start + size)};
  input = input.subspan(start + size);
  return item;
}

std::optional<std::vector<Item>> items(Bytes payload, std::size_t items_max) {
  std::vector<Item> all;
  while (!payload.empty()) {
    const auto item = take(payload);
    if (!item || all.size() == items_max) return std::nullopt;
    all.push_back(*item);
  }
  return all;
}

std::optional<Wei> number(const Item& item) {
  if (item.is_list || item.payload.size() > 32) return std::nullopt;
  if (!item.payload.empty() && item.payload[0] == 0) return std::nullopt;
  return number_of(item.payload);
}

std::optional<std::uint64_t> number_u64(const Item& item) {
  const auto value = number(item);
  if (!value || *value > std::numeric_limits<std::uint64_t>::max()) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

}  // namespace fanfare::devchain::rlp
