#pragma once
// A room of the canvas: takes pixels from users, checks who may draw and how much, gathers ticks, and answers those who
// watch. No sockets and no clock. One thread.
//
//   Room room({.spec = {.width = 2000, .height = 2000}, .epoch = epoch});
//   User* user = room.join({.identity = session, .name = name, .payer = payer});
//   DrawResult result = room.draw({.user = user->number, .payer = payer, .rights = rights}, pixels, {}, now);
//   Tick tick = room.finish_tick();    // every Pacer::interval(): to the log and to those who watch
//
// What watch() and fetch() return is as of the last finish_tick(), and belongs in the connection's outbox before the
// frames of the next one. Then a client gets each change exactly once.

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "canvas/bans.h"
#include "canvas/board.h"
#include "canvas/catch_up.h"
#include "canvas/cursors.h"
#include "canvas/error.h"
#include "canvas/frames.h"
#include "canvas/limits.h"
#include "canvas/past.h"
#include "canvas/payers.h"
#include "canvas/presence.h"
#include "canvas/restores.h"
#include "canvas/taken_back.h"
#include "canvas/tick.h"
#include "canvas/undo_log.h"
#include "canvas/users.h"
#include "canvas/wire.h"

namespace fanfare::canvas {

// Both clocks at one moment.
struct Now {
  Instant instant;
  std::int64_t wall_ms = 0;  // since 1970-01-01 UTC
};

// Who makes a request. Access control decides about the rights, on the connection's own thread.
struct Actor {
  UserNumber user = 0;     // connected
  std::string_view payer;  // his address as access::payer_of() has it: an IPv6 /64 is one
  Rights rights;
};

// A room may want a token or a proof of work with each pixel.
class ProofHook {
 public:
  ProofHook() = default;
  virtual ~ProofHook() = default;
  ProofHook(const ProofHook&) = delete;
  ProofHook& operator=(const ProofHook&) = delete;

  // Empty: accepted. Otherwise what it wants, for people. `proof`: raw JSON, empty without one. Asked only if nothing
  // else speaks against the first pixel. On the room's thread; must not block.
  virtual std::optional<std::string> problem_with(std::string_view proof, const Actor& actor,
                                                  std::span<const Pixel> pixels) = 0;
};

struct RoomOptions {
  RoomSpec spec;
  Limits limits;
  std::uint64_t epoch = 1;
  UserNumber first_user = 1;    // greater than any user of the log
  std::uint64_t last_tick = 0;  // the number of the log's last tick
  std::uint64_t pixels = 0;     // drawn before
  ProofHook* proof = nullptr;   // null: none is wanted. Must outlive the room
};

struct JoinRequest {
  std::string_view identity;  // see Users::join()
  std::string_view name;      // is_valid_name()
  std::string_view payer;     // as in Actor
  std::uint32_t colour = 0;   // of the cursor, 0xRRGGBB
  UserNumber number = 0;      // that he had before; see Users::join()
};

struct DrawResult {
  std::uint32_t accepted = 0;          // pixels, from the first on; of undo(): places that changed
  std::optional<ProtocolError> error;  // why the next one was not; empty: all were. Without the request's id
};

class Room {
 public:
  // The spec must be valid (problem_with()).
  explicit Room(RoomOptions options);
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  // From disk, before anything else: see Board::load(), and a ModerationEvent of a ban.
  bool load(ChunkId id, Version version, Bytes colours, std::span<const UserNumber> authors);
  void ban_again(const ModerationEvent& event, std::int64_t now_ms);

  // A connection begins; the result is valid until it ends. Null: users_max.
  const User* join(const JoinRequest& request);
  void leave(UserNumber user);
  const User* find(UserNumber user) const { return users_.find(user); }
  // 0: this identity is not known.
  UserNumber number_of(std::string_view identity) const { return users_.number_of(identity); }

  // Draws in order, up to the first pixel that is not accepted.
  DrawResult draw(const Actor& actor, std::span<const Pixel> pixels, std::string_view proof, Now now);
  // Takes back the user's last `count` strokes that are visible: of a place perhaps several. Costs no tokens.
  DrawResult undo(const Actor& actor, std::uint32_t count, Now now);

  // Of a room that several servers share (replica.h), draw() and undo() in two halves. The first one checks, and takes the tokens of
  // what it accepts. The second one changes the room: it depends on nothing but what load_state() restores, and takes no tokens.
  DrawResult admit(const Actor& actor, std::span<const Pixel> pixels, std::string_view proof, Now now);
  std::optional<ProtocolError> undo_problem(const Actor& actor, Now now) const;
  DrawResult draw_admitted(UserNumber user, std::span<const Pixel> pixels);
  DrawResult undo_admitted(UserNumber user, std::uint32_t count);
  // `is_more`: of an event that an earlier call had. As restore().
  std::size_t restore_admitted(ModerationEvent event, const Restoration& found, bool is_more);

  // Moderators: `found` is what restore_for() found. The result is how many pixels will change, at most
  // restored_pixels_waiting_max; the event is in the next tick, and its moderator is `actor`. Of undo_user, only pixels
  // change that are still the user's. What restore_for() says is right only after the ticks of the one before.
  std::expected<std::size_t, ProtocolError> restore(const Actor& actor, ModerationEvent event,
                                                    const Restoration& found);
  // Moderators: the user and his addresses cannot draw for so long; 0 ends it. An unknown user is out_of_range.
  std::expected<void, ProtocolError> ban(const Actor& actor, UserNumber user, std::uint32_t seconds, Now now);
  // Whether `actor` may moderate: for requests that the room does not see (who).
  static std::optional<ProtocolError> moderation_problem(const Actor& actor);
  // From now on. A wait for the cooldown becomes that of the new one. undo_pixels_max and bans_max stay as they are.
  void set_limits(const Limits& limits);
  // False: nothing can be stored, and changes are answered storage_full.
  void set_storage(bool is_writable) { storage_is_writable_ = is_writable; }

  // Whether finish_tick() would return anything.
  bool has_changes() const;
  // Ends the tick. Empty: nothing has changed.
  Tick finish_tick();

  // Between two ticks, without restorations that wait: everything but rates, cursors and what others were told. Equal rooms give equal
  // bytes. load_state() needs a new room of the same specification; false: save_state() has not written it, and the
  // room is of no use.
  void save_state(WireWriter& out) const;
  bool load_state(WireReader& in);

  // What the watcher of an area lacks, in this order; `before` is what it has watched so far. `epoch` and `known` are
  // those of its WATCH.
  std::vector<SharedBytes> watch(const ChunkArea& area, const std::optional<ChunkArea>& before,
                                 std::uint64_t epoch, std::span<const KnownChunk> known);
  // A whole chunk, as FETCH wants it.
  std::vector<SharedBytes> fetch(ChunkId chunk);
  // For a slow reader that has missed ticks: what follows its versions, for exactly those chunks.
  std::vector<SharedBytes> resume(std::span<const KnownChunk> known);
  // As watch() for any chunks, so that an answer can come in parts: CatchUp::frames_for().
  std::vector<SharedBytes> frames_for(std::span<const ChunkId> wanted, std::span<const KnownChunk> known);

  const RoomSpec& spec() const { return board_.spec(); }
  const Limits& limits() const { return limits_; }
  std::uint64_t epoch() const { return epoch_; }
  // Nobody may know a version of the one before.
  void set_epoch(std::uint64_t epoch) { epoch_ = epoch; }
  const Board& board() const { return board_; }
  const CatchUp& catch_up() const { return catch_up_; }
  Presence& presence() { return presence_; }
  const Presence& presence() const { return presence_; }
  Cursors& cursors() { return cursors_; }
  // Accepted since the room exists.
  std::uint64_t pixels_total() const { return pixels_total_; }
  std::uint64_t last_tick() const { return last_tick_; }

 private:
  std::optional<ProtocolError> change_problem(const Actor& actor, const User& user, Now now) const;
  std::optional<ProtocolError> place_problem(const Pixel& pixel) const;
  // Without taking tokens.
  std::optional<ProtocolError> rate_problem(const User& user, const Payer& payer, const Pixel& pixel,
                                            Instant now) const;
  // A request to draw, and who pays.
  struct Drawing {
    const Actor& actor;
    User& user;
    Payer& payer;
    std::span<const Pixel> pixels;
    std::string_view proof;
    Now now;
  };
  std::optional<ProtocolError> pixel_problem(const Drawing& drawing, const Pixel& pixel, bool is_first);
  template <typename Accept>
  DrawResult draw_each(const Actor& actor, std::span<const Pixel> pixels, std::string_view proof, Now now,
                       Accept accept);
  void take_tokens(User& user, Payer& payer, const Pixel& pixel, Instant now);
  void draw_one(User& user, const Pixel& pixel);
  DrawResult take_back(User& user, std::uint32_t count, std::size_t tick_pixels_max);
  bool is_begun(ChunkId id) const { return !board_.is_blank(id) || begun_.contains(id.key()); }
  bool load_chunk(WireReader& in);

  Limits limits_;
  std::uint64_t epoch_;
  Board board_;
  CatchUp catch_up_;
  Users users_;
  Payers payers_;
  Bans bans_;
  std::map<UserNumber, ModerationEvent> banned_;  // the bans in force, by user; at most bans_max
  UndoLog undo_;
  TakenBackOfTick taken_back_;
  Presence presence_;
  Cursors cursors_;
  ProofHook* proof_;
  Restores restores_{limits_, board_, undo_, taken_back_};
  std::vector<ModerationEvent> events_;
  std::size_t tick_pixels_ = 0;              // in the open tick
  std::unordered_set<std::uint16_t> begun_;  // blank chunks in which admit() has accepted pixels, by key
  std::uint64_t last_tick_;
  std::uint64_t pixels_total_;
  bool storage_is_writable_ = true;
};

}  // namespace fanfare::canvas
