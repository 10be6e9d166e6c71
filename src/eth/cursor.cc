#include "eth/cursor.h"

#include <algorithm>

#include "base/check.h"
#include "eth/subscription_id.h"

namespace fanfare::eth {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kFixedBytes = 1 + 8 + 4 + 32 + 1;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void append_big_endian(std::vector<std::uint8_t>& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

std::uint64_t read_big_endian(Bytes bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8U | byte;
  return value;
}

// Detects texts that were cut or mistyped; it does not prevent forgery.
std::uint64_t checksum(Bytes bytes) {
  return siphash128(Salt{}, bytes).low & 0xffffffffU;
}

std::string to_base64url(Bytes bytes) {
  std::string text;
  text.reserve(bytes.size() * 4 / 3 + 2);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const std::uint8_t byte : bytes) {
    bits = bits << 8U | byte;
    for (held += 8; held >= 6; held -= 6) text += kAlphabet[bits >> (held - 6) & 63U];
  }
  if (held > 0) text += kAlphabet[bits << (6 - held) & 63U];
  return text;
}

std::optional<std::vector<std::uint8_t>> from_base64url(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<std::uint8_t>(bits >> held));
  }
  // Remaining bits must be zero padding, or two texts would mean one position.
  if (held >= 6 || (bits & ((1U << held) - 1U)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace

HashPrefix prefix_of(const Hash256& hash) {
  HashPrefix prefix;
  std::ranges::copy(Bytes(hash.bytes).first(prefix.size()), prefix.begin());
  return prefix;
}

std::string to_cursor(const Position& position) {
  FANFARE_CHECK(position.ancestors.size() <= Position::kAncestorsMax);
  std::vector<std::uint8_t> bytes = {kVersion};
  bytes.reserve(kFixedBytes + position.ancestors.size() * sizeof(HashPrefix) + kChecksumBytes);
  append_big_endian(bytes, position.number, 8);
  append_big_endian(bytes, position.logs_told, 4);
  bytes.insert(bytes.end(), position.hash.bytes.begin(), position.hash.bytes.end());
  bytes.push_back(static_cast<std::uint8_t>(position.ancestors.size()));
  for (const HashPrefix& ancestor : position.ancestors) {
    bytes.insert(bytes.end(), ancestor.begin(), ancestor.end());
  }
  append_big_endian(bytes, checksum(bytes), kChecksumBytes);
  return to_base64url(bytes);
}

std::optional<Position> parse_cursor(std::string_view text) {
  constexpr std::size_t kBytesMax =
      kFixedBytes + Position::kAncestorsMax * sizeof(HashPrefix) + kChecksumBytes;
  if (text.size() > (kBytesMax * 4 + 2) / 3) return std::nullopt;
  const auto bytes = from_base64url(text);
  if (!bytes || bytes->size() < kFixedBytes + kChecksumBytes || bytes->front() != kVersion) {
    return std::nullopt;
  }
  const Bytes all(*bytes);
  const std::size_t ancestors = all[kFixedBytes - 1];
  if (ancestors > Position::kAncestorsMax ||
      all.size() != kFixedBytes + ancestors * sizeof(HashPrefix) + kChecksumBytes) {
    return std::nullopt;
  }
  const Bytes checked = all.first(all.size() - kChecksumBytes);
  if (read_big_endian(all.last(kChecksumBytes)) != checksum(checked)) return std::nullopt;

  Position position{.number = read_big_endian(all.subspan(1, 8)),
                    .hash = {},
                    .logs_told = static_cast<std::uint32_t>(read_big_endian(all.subspan(9, 4))),
                    .ancestors = std::vector<HashPrefix>(ancestors)};
  // Block 0 has no ancestors, and no real chain is long enough for its numbers to overflow.
  if (ancestors > position.number || position.number >> 56U != 0) return std::nullopt;
  std::ranges::copy(all.subspan(13, 32), position.hash.bytes.begin());
  for (std::size_t i = 0; i < ancestors; ++i) {
    std::ranges::copy(all.subspan(kFixedBytes + i * sizeof(HashPrefix), sizeof(HashPrefix)),
                      position.ancestors[i].begin());
  }
  return position;
}

Trail::Trail(const Position& from)
    : number_(from.number), hash_(from.hash), ancestors_(from.ancestors.begin(), from.ancestors.end()) {}

bool Trail::is_followed_by(const Header& header) const {
  return !number_ || (*number_ + 1 == header.number && hash_ == header.parent_hash);
}

void Trail::move_to(const Header& header) {
  if (number_ && header.number == *number_ + 1 && header.parent_hash == hash_) {
    ancestors_.push_front(prefix_of(hash_));
    if (ancestors_.size() > Position::kAncestorsMax) ancestors_.pop_back();
  } else {
    // Goes back along the trail, as far as it is known to lead to this block.
    const bool is_behind = number_ && header.number <= *number_;
    const std::uint64_t back = is_behind ? *number_ - header.number : ancestors_.size();
    const auto gone = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(back, ancestors_.size()));
    ancestors_.erase(ancestors_.begin(), ancestors_.begin() + gone);
    if (ancestors_.empty() || ancestors_.front() != prefix_of(header.parent_hash)) {
      ancestors_.clear();
      if (header.number > 0) ancestors_.push_front(prefix_of(header.parent_hash));
    }
  }
  number_ = header.number;
  hash_ = header.hash;
}

void Trail::move_to_parent_of(const Header& header) {
  move_to(header);
  if (header.number == 0) return clear();
  number_ = header.number - 1;
  hash_ = header.parent_hash;
  ancestors_.pop_front();
}

Position Trail::position(std::uint32_t logs_told) const {
  FANFARE_CHECK(number_.has_value());
  return {.number = *number_,
          .hash = hash_,
          .logs_told = logs_told,
          .ancestors = {ancestors_.begin(), ancestors_.end()}};
}

}  // namespace fanfare::eth
