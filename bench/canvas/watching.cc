#include "canvas/watching.h"

#include <algorithm>

namespace fanfare::bench::canvas {
namespace {

template <class Call>
void for_area(const Area& area, std::uint32_t columns, Call call) {
  for (std::uint32_t y = area[1]; y <= area[3]; ++y) {
    for (std::uint32_t x = area[0]; x <= area[2]; ++x) call(x, y, y * columns + x);
  }
}

}  // namespace

void Watching::greeted(const Welcome& room) {
  if (!truth_) {
    if (room.has_palette) give_up("the room must have 24-bit colours: a pixel's colour is its number");
    room_ = room;
    truth_ = std::make_unique<Truth>(room);
  }
  if (room.epoch != room_.epoch) give_up("the server has another epoch now");
}

Area Watching::cut(Area area) const {
  area[2] = std::min(area[2], truth_->columns() - 1);
  area[3] = std::min(area[3], truth_->rows() - 1);
  return area;
}

void Watching::watch(Peer& peer, Area area) {
  if (peer.versions.empty()) peer.versions.assign(truth_->chunks(), kNone);
  const Area inside = cut(area);
  Output have;
  std::uint64_t count = 0;
  for_area(inside, truth_->columns(), [&](std::uint32_t x, std::uint32_t y, std::uint32_t chunk) {
    if (peer.versions[chunk] == kNone) return;
    have.u8(x).u8(y).varint(peer.versions[chunk]);
    ++count;
  });
  Output message;
  message.u8(2);
  for (const std::uint32_t side : inside) message.u8(side);
  message.little(room_.epoch, 8).varint(count);
  dialer_.send(peer, client_frame(2, message.bytes() + have.bytes()));
}

void Watching::chunk(Peer& peer, Bytes message) {
  ++counts_.chunks;
  const auto section = truth_->chunk(message);
  if (section && !peer.versions.empty()) peer.versions[section->chunk] = section->version;
}

void Watching::current(Peer& peer, Bytes message) {
  Input input(message.substr(1));
  for (std::uint64_t count = input.varint(); count > 0; --count) {
    const std::uint32_t x = input.u8();
    const std::uint32_t y = input.u8();
    const std::uint64_t version = input.varint();
    const std::uint64_t hash = input.little(8);
    if (input.failed() || x >= truth_->columns() || y >= truth_->rows() || peer.versions.empty()) {
      ++truth_->faults.malformed;
      return;
    }
    const std::uint32_t chunk = y * truth_->columns() + x;
    truth_->check(chunk, version, hash);
    if (peer.versions[chunk] != version) ++truth_->faults.gap;
  }
}

const TickFrame* Watching::tick(Peer& peer, Bytes message) {
  const TickFrame* frame = truth_->tick(message);
  if (frame == nullptr) return nullptr;
  if (peer.versions.empty()) {
    ++truth_->faults.malformed;  // to one that watches nothing
    return nullptr;
  }
  for (const Section& section : frame->sections) {
    std::uint64_t& version = peer.versions[section.chunk];
    // The whole chunk was asked for.
    if (version == kNone) continue;
    if (section.version <= version) {
      ++truth_->faults.twice;
    } else if (section.version != version + 1) {
      missed(peer, section);
      return nullptr;
    } else {
      version = section.version;
    }
  }
  return frame;
}

void Watching::missed(Peer& peer, const Section& section) {
  ++truth_->faults.gap;
  ++counts_.fetches;
  peer.versions[section.chunk] = kNone;
  Output fetch;
  fetch.u8(3).u8(section.chunk % truth_->columns()).u8(section.chunk / truth_->columns());
  dialer_.send(peer, client_frame(2, fetch.bytes()));
}

bool Watching::has_all(const Peer& peer, Area area) const {
  if (!truth_ || peer.versions.empty()) return false;
  bool has = true;
  for_area(cut(area), truth_->columns(),
           [&](std::uint32_t, std::uint32_t, std::uint32_t chunk) { has &= peer.versions[chunk] != kNone; });
  return has;
}

bool Watching::are_equal(const Peer& left, const Peer& right, Area area) const {
  if (!has_all(left, area) || !has_all(right, area)) return false;
  bool equal = true;
  for_area(cut(area), truth_->columns(), [&](std::uint32_t, std::uint32_t, std::uint32_t chunk) {
    equal &= left.versions[chunk] == right.versions[chunk];
  });
  return equal;
}

}  // namespace fanfare::bench::canvas
