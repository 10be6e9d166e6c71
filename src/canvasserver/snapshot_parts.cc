#include "canvasserver/snapshot_parts.h"

#include <zlib.h>

#include <algorithm>
#include <ranges>
#include <span>
#include <utility>

#include "base/check.h"
#include "canvas/wire.h"
#include "canvasserver/shared_log.h"

namespace fanfare::canvasserver {
namespace {

constexpr std::uint8_t kPartFormat = 1;
constexpr std::size_t kHeadBytes = 25;
// Of one epoch, those that may still be asked for: the proposals of all instances, and the last ones.
constexpr std::size_t kWholeMax = 32;
constexpr std::size_t kInflatedPiece = std::size_t{64} << 10;

std::vector<std::uint8_t> deflated(Bytes plain) {
  uLongf size = compressBound(plain.size());
  std::vector<std::uint8_t> out(size);
  FANFARE_CHECK(compress2(out.data(), &size, plain.data(), plain.size(), Z_BEST_SPEED) == Z_OK);
  out.resize(size);
  return out;
}

}  // namespace

std::vector<SharedBytes> parts_of(const Snapshot& snapshot) {
  if (snapshot.copy.size() > kSnapshotBytesMax) return {};
  std::vector<std::uint8_t> whole;
  canvas::WireWriter out(whole);
  out.u8(snapshot.head.is_based ? 1 : 0);
  out.u64(snapshot.head.position.epoch);
  out.u64(snapshot.head.position.offset);
  out.u64(snapshot.copy.size());
  out.bytes(deflated(snapshot.copy));
  const std::size_t count = (whole.size() + kSnapshotPartBytes - 1) / kSnapshotPartBytes;
  std::vector<SharedBytes> parts;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = i * kSnapshotPartBytes;
    std::vector<std::uint8_t> part;
    canvas::WireWriter to(part);
    to.u8(kPartFormat);
    to.u64(snapshot.head.id);
    to.varint(i);
    to.varint(count);
    to.bytes(Bytes(whole).subspan(begin, std::min(kSnapshotPartBytes, whole.size() - begin)));
    parts.emplace_back(Bytes(part));
  }
  return parts;
}

std::optional<Position> SnapshotReader::add(Bytes bytes) {
  canvas::WireReader in(bytes);
  const auto format = in.u8();
  const auto id = in.u64();
  const auto number = in.varint64();
  const auto count = in.varint64();
  if (format != kPartFormat || !id || *id == 0 || !number || !count || *number >= *count) return std::nullopt;
  Parts& parts = open_[*id];
  // A part that was stored twice, or whose predecessor is gone.
  if (*number != parts.next || (parts.next > 0 && *count != parts.count)) return std::nullopt;
  const Bytes rest = bytes.last(in.left());
  if (parts.bytes.size() + rest.size() > compressBound(kSnapshotBytesMax) + kHeadBytes) return std::nullopt;
  parts.count = *count;
  parts.bytes.insert(parts.bytes.end(), rest.begin(), rest.end());
  if (++parts.next < parts.count) return std::nullopt;
  std::vector<std::uint8_t> whole = std::move(parts.bytes);
  open_.erase(*id);
  return finish(*id, std::move(whole));
}

std::optional<Position> SnapshotReader::finish(std::uint64_t id, std::vector<std::uint8_t> bytes) {
  canvas::WireReader in(bytes);
  const auto is_based = in.u8();
  const auto epoch = in.u64();
  const auto offset = in.u64();
  const auto size = in.u64();
  if (!is_based || !epoch || !offset || !size || *size > kSnapshotBytesMax) return std::nullopt;
  Whole whole{
      .head = {.id = id, .is_based = *is_based != 0, .position = {.epoch = *epoch, .offset = *offset}},
      .bytes = std::move(bytes),
      .size = static_cast<std::size_t>(*size)};
  if (!is_intact(whole)) return whole.head.position;
  // Nobody needs earlier ones of the epoch any more, nor those of an earlier epoch.
  std::erase_if(whole_, [&](const Whole& other) {
    const bool is_same = other.head.position.epoch == *epoch;
    return !is_same || (whole.head.is_based && other.head.position.offset <= *offset);
  });
  whole_.push_back(std::move(whole));
  if (whole_.size() > kWholeMax) whole_.erase(whole_.begin());
  return std::nullopt;
}

// Inflated piece by piece, so that a snapshot nobody needs takes no memory. zlib's checksum covers the copy.
bool SnapshotReader::is_intact(Whole& whole) {
  z_stream stream{};
  FANFARE_CHECK(inflateInit(&stream) == Z_OK);
  const auto packed = std::span(whole.bytes).subspan(kHeadBytes);
  std::vector<std::uint8_t> piece(kInflatedPiece);
  stream.next_in = packed.data();  // which zlib does not change
  stream.avail_in = static_cast<uInt>(packed.size());
  int result = Z_OK;
  while (result == Z_OK && stream.total_out <= whole.size) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
  }
  const bool is_whole = result == Z_STREAM_END && stream.total_out == whole.size;
  inflateEnd(&stream);
  return is_whole;
}

std::optional<Snapshot> SnapshotReader::inflated(const Whole& whole) {
  Snapshot snapshot{.head = whole.head, .copy = std::vector<std::uint8_t>(whole.size)};
  uLongf size = whole.size;
  const Bytes packed = Bytes(whole.bytes).subspan(kHeadBytes);
  if (uncompress(snapshot.copy.data(), &size, packed.data(), packed.size()) != Z_OK || size != whole.size)
    return std::nullopt;
  return snapshot;
}

std::optional<Snapshot> SnapshotReader::latest() const {
  const auto best = std::ranges::max_element(whole_, [](const Whole& one, const Whole& other) {
    const auto rank = [](const Whole& each) {
      return std::pair(each.head.is_based, each.head.position.offset);
    };
    return rank(one) < rank(other);
  });
  return best == whole_.end() ? std::nullopt : inflated(*best);
}

std::optional<Snapshot> SnapshotReader::find(std::uint64_t id) const {
  for (const Whole& whole : whole_ | std::views::reverse) {
    if (whole.head.id == id) return inflated(whole);
  }
  return std::nullopt;
}

}  // namespace fanfare::canvasserver
