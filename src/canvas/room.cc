#include "canvas/room.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace fanfare::canvas {
namespace {

ProtocolError range_error(std::string_view field, std::uint64_t value, std::uint64_t limit) {
  return {.code = ErrorCode::out_of_range,
          .message = joined({field, " must be at most ", std::to_string(limit)}),
          .field = std::string(field),
          .value = std::to_string(value),
          .limit = std::to_string(limit)};
}

// One chunk. The rate is a number each minute, of buckets that count by the second.
constexpr std::uint64_t kChunkCost = 60;

TokenRate chunk_rate(std::uint32_t per_minute) {
  return {.per_second = per_minute, .burst = per_minute * kChunkCost};
}

struct RateLimit {
  Duration wait;
  std::string_view message;
  std::string_view field;  // as in the limits of a JSON client's welcome
  std::uint64_t limit;
};

ProtocolError rate_error(const RateLimit& reached) {
  ProtocolError error = too_many_pixels(std::string(reached.message), reached.wait);
  error.field = reached.field;
  // One more than may be.
  if (reached.field.ends_with("chunks_per_minute")) error.value = std::to_string(reached.limit + 1);
  error.limit = std::to_string(reached.limit);
  return error;
}

// Of a user without an identity, the ban ends when he leaves, except for his address. No identity begins with '#'.
std::string ban_identity(const User& user) {
  return user.identity.empty() ? joined({"#", std::to_string(user.number)}) : user.identity;
}

}  // namespace

Room::Room(RoomOptions options)
    : limits_(options.limits),
      epoch_(options.epoch),
      board_(std::move(options.spec), limits_.chunks_max),
      catch_up_(board_, limits_),
      users_(limits_, options.first_user),
      payers_(limits_),
      bans_(limits_.bans_max),
      undo_(limits_.undo_pixels_max),
      presence_(limits_),
      cursors_(limits_),
      proof_(options.proof),
      last_tick_(options.last_tick),
      pixels_total_(options.pixels) {}

void Room::set_limits(const Limits& limits) {
  const Limits before = std::exchange(limits_, limits);
  limits_.undo_pixels_max = before.undo_pixels_max;
  limits_.bans_max = before.bans_max;
  board_.set_chunks_max(limits_.chunks_max);
  users_.shift_cooldowns(limits_.cooldown - before.cooldown);
}

bool Room::load(ChunkId id, Version version, Bytes colours, std::span<const UserNumber> authors) {
  return board_.load(id, version, colours, authors);
}

void Room::ban_again(const ModerationEvent& event, std::int64_t now_ms) {
  bans_.set_identity(event.identity, event.until_ms, now_ms);
  for (const std::string& payer : event.payers) {
    bans_.set_payer(payer, event.identity, event.until_ms, now_ms);
  }
  std::erase_if(banned_, [&](const auto& ban) { return ban.second.until_ms <= now_ms; });
  if (event.until_ms > now_ms && banned_.size() < limits_.bans_max) banned_[event.user] = event;
  if (event.until_ms <= now_ms) banned_.erase(event.user);
}

const User* Room::join(const JoinRequest& request) {
  const User* const user = users_.join(request.identity, request.name, request.payer, request.number);
  if (user != nullptr && user->connections == 1) {
    presence_.join({.user = user->number, .name = user->name, .colour = request.colour});
  }
  return user;
}

void Room::leave(UserNumber user) {
  if (!users_.leave(user)) return;
  presence_.leave(user);
  cursors_.remove(user);
}

std::optional<ProtocolError> Room::change_problem(const Actor& actor, const User& user, Now now) const {
  if (!actor.rights.draw) return error_of(ErrorCode::not_permitted, "your role may not draw here");
  if (const auto left = bans_.left(ban_identity(user), actor.payer, now.wall_ms)) {
    ProtocolError error = error_of(ErrorCode::not_permitted, "a moderator has banned you");
    error.retry_after = left;
    return error;
  }
  if (!storage_is_writable_) {
    return error_of(ErrorCode::storage_full, "the server cannot store pixels at the moment");
  }
  return std::nullopt;
}

std::optional<ProtocolError> Room::place_problem(const Pixel& pixel) const {
  const RoomSpec& spec = board_.spec();
  if (pixel.x >= spec.width) return range_error("x", pixel.x, spec.width - 1);
  if (pixel.y >= spec.height) return range_error("y", pixel.y, spec.height - 1);
  if (pixel.colour >= spec.colour_end()) return range_error("color", pixel.colour, spec.colour_end() - 1);
  const ChunkId id = chunk_of(pixel.x, pixel.y);
  const bool has_room = begun_.empty()
                            ? board_.has_room_for(id)
                            : is_begun(id) || board_.chunk_count() + begun_.size() < limits_.chunks_max;
  if (!has_room) {
    ProtocolError error =
        error_of(ErrorCode::out_of_range,
                 joined({"people have drawn in ", std::to_string(limits_.chunks_max),
                         " chunks of the canvas, and no more can exist: draw near other pixels"}));
    error.field = "chunks_max";
    error.value = std::to_string(board_.chunk_count() + 1);
    error.limit = std::to_string(limits_.chunks_max);
    return error;
  }
  return std::nullopt;
}

std::optional<ProtocolError> Room::rate_problem(const User& user, const Payer& payer, const Pixel& pixel,
                                                Instant now) const {
  const std::uint32_t chunks = is_begun(chunk_of(pixel.x, pixel.y)) ? 0 : 1;
  const TokenRate& by_user = limits_.pixels_per_user;
  const TokenRate& by_address = limits_.pixels_per_address;
  const std::uint32_t user_chunks = limits_.chunks_per_minute_per_user;
  const std::uint32_t address_chunks = limits_.chunks_per_minute_per_address;
  const std::array<RateLimit, 5> all{{
      {user.next_pixel - now, "your last pixel is too recent", "cooldown_ms",
       static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(limits_.cooldown).count())},
      {user.pixels.wait_for(by_user, 1, now), "you draw too fast", "pixels_per_second", by_user.per_second},
      {payer.pixels.wait_for(by_address, 1, now), "too many pixels come from your address",
       "address_pixels_per_second", by_address.per_second},
      {user.chunks.wait_for(chunk_rate(user_chunks), chunks * kChunkCost, now),
       "you begin too many chunks of the canvas: draw near other pixels, or wait", "chunks_per_minute",
       user_chunks},
      {payer.chunks.wait_for(chunk_rate(address_chunks), chunks * kChunkCost, now),
       "your address begins too many chunks of the canvas: draw near other pixels, or wait",
       "address_chunks_per_minute", address_chunks},
  }};
  const RateLimit& longest = *std::ranges::max_element(all, {}, &RateLimit::wait);
  if (longest.wait > Duration::zero()) return rate_error(longest);
  if (tick_pixels_ >= limits_.pixels_per_tick_max) {
    return too_many_pixels("too many pixels come at the same time", limits_.tick_max);
  }
  return std::nullopt;
}

void Room::take_tokens(User& user, Payer& payer, const Pixel& pixel, Instant now) {
  user.pixels.take(limits_.pixels_per_user, 1, now);
  payer.pixels.take(limits_.pixels_per_address, 1, now);
  if (!is_begun(chunk_of(pixel.x, pixel.y))) {
    user.chunks.take(chunk_rate(limits_.chunks_per_minute_per_user), kChunkCost, now);
    payer.chunks.take(chunk_rate(limits_.chunks_per_minute_per_address), kChunkCost, now);
  }
  if (limits_.cooldown > Duration::zero()) user.next_pixel = saturating_add(now, limits_.cooldown);
}

void Room::draw_one(User& user, const Pixel& pixel) {
  const std::uint64_t number = undo_.add({.x = pixel.x,
                                          .y = pixel.y,
                                          .user = user.number,
                                          .author_before = board_.author_at(pixel.x, pixel.y),
                                          .colour = pixel.colour,
                                          .colour_before = board_.colour_at(pixel.x, pixel.y),
                                          .tick = last_tick_ + 1,
                                          .previous = user.last_draw});
  if (number != 0) user.last_draw = number;
  board_.restore(pixel, user.number);
  taken_back_.draw(pixel.x, pixel.y);
  ++tick_pixels_;
  ++pixels_total_;
}

std::optional<ProtocolError> Room::pixel_problem(const Drawing& drawing, const Pixel& pixel, bool is_first) {
  if (auto problem = place_problem(pixel)) return problem;
  if (auto problem = rate_problem(drawing.user, drawing.payer, pixel, drawing.now.instant)) return problem;
  if (!is_first || proof_ == nullptr) return std::nullopt;
  auto wanted = proof_->problem_with(drawing.proof, drawing.actor, drawing.pixels);
  if (!wanted) return std::nullopt;
  return error_of(ErrorCode::proof_required, *std::move(wanted));
}

template <typename Accept>
DrawResult Room::draw_each(const Actor& actor, std::span<const Pixel> pixels, std::string_view proof, Now now,
                           Accept accept) {
  User* const user = users_.find(actor.user);
  if (user == nullptr) return {.error = error_of(ErrorCode::not_permitted, "you have left")};
  DrawResult result;
  result.error = change_problem(actor, *user, now);
  if (result.error) return result;
  const Drawing drawing{.actor = actor,
                        .user = *user,
                        .payer = payers_.find(actor.payer, now.instant),
                        .pixels = pixels,
                        .proof = proof,
                        .now = now};
  for (const Pixel& pixel : pixels) {
    result.error = pixel_problem(drawing, pixel, result.accepted == 0);
    if (result.error) return result;
    take_tokens(drawing.user, drawing.payer, pixel, now.instant);
    accept(drawing.user, pixel);
    ++result.accepted;
  }
  return result;
}

DrawResult Room::draw(const Actor& actor, std::span<const Pixel> pixels, std::string_view proof, Now now) {
  return draw_each(actor, pixels, proof, now,
                   [this](User& user, const Pixel& pixel) { draw_one(user, pixel); });
}

DrawResult Room::admit(const Actor& actor, std::span<const Pixel> pixels, std::string_view proof, Now now) {
  return draw_each(actor, pixels, proof, now, [this](User& /*user*/, const Pixel& pixel) {
    const ChunkId id = chunk_of(pixel.x, pixel.y);
    if (board_.is_blank(id)) begun_.insert(id.key());
    ++tick_pixels_;
  });
}

std::optional<ProtocolError> Room::moderation_problem(const Actor& actor) {
  if (actor.rights.moderate) return std::nullopt;
  return error_of(ErrorCode::not_permitted, "your role may not moderate here");
}

std::expected<void, ProtocolError> Room::ban(const Actor& actor, UserNumber user, std::uint32_t seconds,
                                             Now now) {
  if (auto problem = moderation_problem(actor)) return std::unexpected(*std::move(problem));
  const User* const banned = users_.find(user);
  // Users are forgotten, for example at a restart; their bans are not.
  const auto before = banned_.find(user);
  if (banned == nullptr && before == banned_.end()) {
    ProtocolError error = error_of(ErrorCode::out_of_range, "there is no such user, or he left long ago");
    error.field = "user_id";
    error.value = joined({"\"", user_id_of(user), "\""});
    return std::unexpected(std::move(error));
  }
  // His addresses now, and those of his last ban: it may come from before a restart.
  std::vector<std::string> payers = banned == nullptr ? std::vector<std::string>() : banned->payers;
  if (before != banned_.end()) {
    for (const std::string& payer : before->second.payers) {
      if (std::ranges::find(payers, payer) == payers.end()) payers.push_back(payer);
    }
  }
  events_.push_back({.kind = ModerationEvent::Kind::ban,
                     .moderator = actor.user,
                     .user = user,
                     .until_ms = now.wall_ms + std::int64_t{seconds} * 1000,
                     .identity = banned == nullptr ? before->second.identity : ban_identity(*banned),
                     .payers = std::move(payers)});
  ban_again(events_.back(), now.wall_ms);
  return {};
}

bool Room::has_changes() const {
  return tick_pixels_ > 0 || !events_.empty() || !restores_.is_empty();
}

Tick Room::finish_tick() {
  restores_.apply();
  tick_pixels_ = 0;
  Tick tick{.number = 0,
            .chunks = board_.finish_tick(),
            .events = std::exchange(events_, {}),
            .taken_back = taken_back_.finish_tick()};
  // That a place is blank says enough: nothing is left of it.
  std::erase_if(tick.taken_back, [this](const TakenBack& one) {
    return !one.is_drawn && board_.author_at(one.x, one.y) == 0;
  });
  if (tick.is_empty()) return tick;
  tick.number = ++last_tick_;
  catch_up_.add(tick);
  return tick;
}

std::vector<SharedBytes> Room::watch(const ChunkArea& area, const std::optional<ChunkArea>& before,
                                     std::uint64_t epoch, std::span<const KnownChunk> known) {
  std::vector<ChunkId> wanted;
  for (unsigned y = area.y0; y <= area.y1; ++y) {
    for (unsigned x = area.x0; x <= area.x1; ++x) {
      const ChunkId id{.x = static_cast<std::uint8_t>(x), .y = static_cast<std::uint8_t>(y)};
      if (!before || !before->contains(id)) wanted.push_back(id);
    }
  }
  return catch_up_.frames_for(wanted, epoch == epoch_ ? known : std::span<const KnownChunk>{});
}

std::vector<SharedBytes> Room::fetch(ChunkId chunk) {
  return catch_up_.frames_for(std::span(&chunk, 1), {});
}

std::vector<SharedBytes> Room::resume(std::span<const KnownChunk> known) {
  std::vector<ChunkId> wanted;
  wanted.reserve(known.size());
  for (const KnownChunk& one : known) wanted.push_back(one.id);
  return catch_up_.frames_for(wanted, known);
}

std::vector<SharedBytes> Room::frames_for(std::span<const ChunkId> wanted,
                                          std::span<const KnownChunk> known) {
  return catch_up_.frames_for(wanted, known);
}

}  // namespace fanfare::canvas
