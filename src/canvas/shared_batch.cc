#include "canvas/shared_batch.h"

#include <type_traits>

#include "canvas/wire.h"

namespace fanfare::canvas {
namespace {

constexpr std::uint8_t kEntryFormat = 1;
constexpr std::uint8_t kBatch = 0;
constexpr std::uint8_t kBase = 1;

class EntryWriter {
 public:
  EntryWriter(std::vector<std::uint8_t>& out, const RoomSpec& spec)
      : out_(out), bytes_per_colour_(spec.bytes_per_colour()) {}

  void operator()(const SharedJoin& join) {
    out_.text(join.identity);
    out_.text(join.name);
    out_.text(join.payer);
    out_.rgb(join.colour);
    out_.varint(join.number);
  }
  void operator()(const SharedLeave& leave) { out_.varint(leave.user); }
  void operator()(const SharedDraw& draw) {
    out_.varint(draw.user);
    out_.varint(draw.pixels.size());
    for (const Pixel& pixel : draw.pixels) {
      out_.u16(pixel.x);
      out_.u16(pixel.y);
      out_.colour(pixel.colour, bytes_per_colour_);
    }
  }
  void operator()(const SharedUndo& undo) {
    out_.varint(undo.user);
    out_.varint(undo.count);
  }
  void operator()(const SharedRestore& restore) {
    const ModerationEvent& event = restore.event;
    out_.u8(static_cast<std::uint8_t>(event.kind));
    out_.u8(restore.is_more ? 1 : 0);
    out_.varint(event.moderator);
    out_.varint(event.user);
    out_.varint(event.area.x);
    out_.varint(event.area.y);
    out_.varint(event.area.width);
    out_.varint(event.area.height);
    out_.u64(static_cast<std::uint64_t>(event.at_ms));
    out_.varint(restore.found.from);
    out_.varint(restore.found.pixels.size());
    for (const RestoredPixel& pixel : restore.found.pixels) {
      out_.u16(pixel.x);
      out_.u16(pixel.y);
      out_.varint(pixel.author);
      out_.colour(pixel.colour, bytes_per_colour_);
      out_.varint(pixel.tick);
    }
  }
  void operator()(const SharedBan& ban) {
    out_.varint(ban.moderator);
    out_.varint(ban.user);
    out_.varint(ban.seconds);
  }
  void operator()(const SharedGone& gone) {
    out_.u64(gone.instance);
    out_.varint(gone.last_batch);
  }

 private:
  WireWriter out_;
  const std::size_t bytes_per_colour_;
};

// The reader of a message whose fields must all be there: the first one that is missing ends it.
class EntryReader {
 public:
  EntryReader(Bytes bytes, const RoomSpec& spec) : in_(bytes), bytes_per_colour_(spec.bytes_per_colour()) {}

  bool is_whole() const { return is_whole_; }
  bool at_end() const { return is_whole_ && in_.at_end(); }
  std::uint8_t u8() { return take(in_.u8()); }
  std::uint16_t u16() { return take(in_.u16()); }
  std::uint64_t u64() { return take(in_.u64()); }
  std::uint32_t number() { return take(in_.varint32()); }
  std::uint64_t number64() { return take(in_.varint64()); }
  std::uint32_t rgb() { return take(in_.rgb()); }
  Colour colour() { return take(in_.colour(bytes_per_colour_)); }
  std::string text() { return std::string(take(in_.text())); }
  // No more than the bytes that are left can have.
  std::size_t count(std::size_t bytes_each) {
    const std::uint64_t value = number64();
    is_whole_ = is_whole_ && value <= in_.left() / bytes_each;
    return is_whole_ ? static_cast<std::size_t>(value) : 0;
  }

 private:
  template <typename Value>
  Value take(const std::optional<Value>& value) {
    if (!is_whole_ || !value) {
      is_whole_ = false;
      return Value{};
    }
    return *value;
  }

  WireReader in_;
  const std::size_t bytes_per_colour_;
  bool is_whole_ = true;
};

SharedJoin read_join(EntryReader& in) {
  SharedJoin join;
  join.identity = in.text();
  join.name = in.text();
  join.payer = in.text();
  join.colour = in.rgb();
  join.number = in.number();
  return join;
}

SharedDraw read_draw(EntryReader& in) {
  SharedDraw draw{.user = in.number(), .pixels = {}};
  draw.pixels.resize(in.count(5));
  for (Pixel& pixel : draw.pixels) {
    pixel.x = in.u16();
    pixel.y = in.u16();
    pixel.colour = in.colour();
  }
  return draw;
}

SharedRestore read_restore(EntryReader& in) {
  SharedRestore restore;
  ModerationEvent& event = restore.event;
  // A ban is a request of its own.
  event.kind =
      static_cast<ModerationEvent::Kind>(in.u8() % static_cast<unsigned>(ModerationEvent::Kind::ban));
  restore.is_more = in.u8() != 0;
  event.moderator = in.number();
  event.user = in.number();
  event.area.x = in.number();
  event.area.y = in.number();
  event.area.width = in.number();
  event.area.height = in.number();
  event.at_ms = static_cast<std::int64_t>(in.u64());
  restore.found.from = in.number64();
  restore.found.pixels.resize(in.count(7));
  for (RestoredPixel& pixel : restore.found.pixels) {
    pixel.x = in.u16();
    pixel.y = in.u16();
    pixel.author = in.number();
    pixel.colour = in.colour();
    pixel.tick = in.number64();
  }
  return restore;
}

// In the order of the variant.
std::optional<SharedRequest> read_request(EntryReader& in) {
  switch (in.u8()) {
    case 0:
      return read_join(in);
    case 1:
      return SharedLeave{.user = in.number()};
    case 2:
      return read_draw(in);
    case 3: {
      const UserNumber user = in.number();
      return SharedUndo{.user = user, .count = in.number()};
    }
    case 4:
      return read_restore(in);
    case 5: {
      SharedBan ban{.moderator = in.number()};
      ban.user = in.number();
      ban.seconds = in.number();
      return ban;
    }
    case 6: {
      const InstanceId instance = in.u64();
      return SharedGone{.instance = instance, .last_batch = in.number64()};
    }
    default:
      return std::nullopt;
  }
}

std::optional<SharedBatch> read_batch(EntryReader& in) {
  SharedBatch batch;
  batch.epoch = in.u64();
  batch.instance = in.u64();
  batch.number = in.number64();
  batch.time_ms = static_cast<std::int64_t>(in.u64());
  const std::size_t count = in.count(2);
  for (std::size_t i = 0; i < count && in.is_whole(); ++i) {
    auto request = read_request(in);
    if (!request) return std::nullopt;
    batch.requests.push_back(*std::move(request));
  }
  if (!in.at_end() || batch.instance == 0 || batch.number == 0) return std::nullopt;
  return batch;
}

}  // namespace

std::size_t bytes_of(const SharedRequest& request) {
  constexpr std::size_t kFixed = 64;
  if (const auto* const draw = std::get_if<SharedDraw>(&request)) return kFixed + (draw->pixels.size() * 7);
  if (const auto* const restore = std::get_if<SharedRestore>(&request))
    return kFixed + (restore->found.pixels.size() * 22);
  if (const auto* const join = std::get_if<SharedJoin>(&request))
    return kFixed + join->identity.size() + join->name.size() + join->payer.size();
  return kFixed;
}

std::vector<std::uint8_t> encode(const SharedBatch& batch, const RoomSpec& spec) {
  std::vector<std::uint8_t> bytes;
  WireWriter out(bytes);
  out.u8(kEntryFormat);
  out.u8(kBatch);
  out.u64(batch.epoch);
  out.u64(batch.instance);
  out.varint(batch.number);
  out.u64(static_cast<std::uint64_t>(batch.time_ms));
  out.varint(batch.requests.size());
  EntryWriter writer(bytes, spec);
  for (const SharedRequest& request : batch.requests) {
    out.u8(static_cast<std::uint8_t>(request.index()));
    std::visit(writer, request);
  }
  return bytes;
}

std::vector<std::uint8_t> encode(const SharedBase& base) {
  std::vector<std::uint8_t> bytes;
  WireWriter out(bytes);
  out.u8(kEntryFormat);
  out.u8(kBase);
  out.u64(base.epoch);
  out.u64(base.snapshot);
  out.u64(base.room);
  return bytes;
}

std::expected<std::variant<SharedBatch, SharedBase>, SharedProblem> decode_entry(Bytes entry,
                                                                                 const RoomSpec& spec) {
  EntryReader in(entry, spec);
  if (in.u8() != kEntryFormat)
    return std::unexpected(in.is_whole() ? SharedProblem::unknown_format : SharedProblem::malformed);
  switch (in.u8()) {
    case kBatch:
      if (auto batch = read_batch(in)) return *std::move(batch);
      break;
    case kBase: {
      SharedBase base{.epoch = in.u64()};
      base.snapshot = in.u64();
      base.room = in.u64();
      if (in.at_end()) return base;
      break;
    }
    default:
      break;
  }
  return std::unexpected(SharedProblem::malformed);
}

// FNV-1a of 64 bits.
std::uint64_t hash_of(const RoomSpec& spec) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  const auto add = [&hash](std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      hash ^= (value >> shift) & 0xFFU;
      hash *= 0x100000001B3U;
    }
  };
  add(spec.width);
  add(spec.height);
  add(spec.background);
  for (const std::uint32_t colour : spec.palette) add(colour);
  return hash;
}

}  // namespace fanfare::canvas
