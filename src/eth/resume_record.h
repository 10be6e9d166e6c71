#pragma once
// What a session of an unmodified client remembers: its subscriptions, and for each the positions in the chain that
// were sent and that the client has confirmed (docs/decisions/0500-sessions-of-unmodified-clients.md).
//
//   confirmed            the client has received everything up to here: it has answered a ping that came after it
//     .. may have it ..  sent since then, on one branch or, after reorgs, on several: `latest` and the turns
//   latest               the last position that was sent
//
// A reorg may have gone back behind `confirmed` since then. The client has everything up to the lowest such position, and may
// have everything up to `confirmed`.
//
// On the next connection, what the client may have on dead branches is retracted, block by block from the top. Each of these turns
// goes down with that, and a confirmation covers it as far as it had gone down before the ping.
//
// A connection owns the session until another one takes it. Any thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_budget.h"
#include "eth/cursor.h"
#include "eth/resume_image.h"
#include "eth/resume_kept.h"
#include "eth/resume_limits.h"
#include "eth/resume_turns.h"
#include "eth/subscription_id.h"

namespace fanfare::eth {

TopicHash hash_of_topic(std::string_view topic);

class ResumeRecord {
 public:
  using Owner = std::uint64_t;
  using Slot = std::uint32_t;

  // `memory`: what the session holds; it grows with its subscriptions (resume_limits.h). Without a share it is not limited.
  explicit ResumeRecord(const ResumeRecordLimits& limits, ByteHold memory = {})
      : limits_(limits), base_bytes_(memory.bytes()), memory_(std::move(memory)) {}

  // A connection takes the session: what earlier owners do from now on is refused.
  Owner take();
  bool is_owner(Owner owner) const;
  // Remembered subscriptions.
  std::size_t size() const;

  // It has as many as it may have, whatever memory there is.
  bool is_full() const;

  // Where a subscription that is made again continues.
  struct Point {
    Position from;  // the client has everything up to here
    std::vector<Position>
        may_have;                // it may have everything up to here, on whatever branch; the last one first
    bool is_incomplete = false;  // there were more of these
    bool is_stale = false;       // it may have more that nobody knows (ResumeImage)
  };
  struct Claim {
    Slot slot = 0;
    std::optional<Point> point = {};  // empty: it is new
  };
  enum class Refusal : std::uint8_t {
    not_owner,  // another connection owns the session
    no_room,    // it has subscriptions_max on this connection, or no memory is left
  };
  // Of equal subscriptions, the one made first is claimed first.
  std::expected<Claim, Refusal> claim(Owner owner, const TopicHash& topic, const SubscriptionId& id);
  // The client does not want it any more.
  void forget(Owner owner, Slot slot);
  // It could not be made: as before its claim.
  void give_back(Owner owner, Slot slot);
  // Whether a subscription with this id was made on an earlier connection, and not again on this one.
  bool remembers(Owner owner, const SubscriptionId& id) const;

  // The session goes on elsewhere, from what is returned. Its memory is free, and nobody owns it any more.
  ResumeImage end();
  // Of several positions that its client may have, each subscription keeps the newest (Point::is_incomplete). False: nothing was freed.
  bool give_up_turns();

  // How a message changes what the client has.
  enum class Change : std::uint8_t {
    adds,
    retracts,  // a reorg removes what was sent before
    replaces,  // what the client had of this height and above is void: heads and receipts are not retracted
  };
  // Call before something is sent after which the client is at `position`. The first call states where the
  // subscription begins. False: another connection owns the session, and nothing may be sent.
  bool note(Owner owner, Slot slot, const Mark& position, Change change);
  // What was noted last for the slot could not be sent.
  void take_back(Owner owner, Slot slot);
  // Something was sent after which the client has less of what it may have had beyond its point: up to `to` only. After note().
  using Lowered = ResumeTurns::Lowered;
  void lower(Owner owner, Slot slot, const std::vector<Lowered>& turns);
  // What the client may have had beyond its point, when the slot was claimed, is retracted or sent again, except up to these
  // positions: the next confirmation covers that. `covers_unknown`: also what nobody knows (Point::is_stale).
  void settle(Owner owner, Slot slot, const std::vector<Position>& rest, bool covers_unknown);
  // The client is being notified that it has missed what comes before `position`, by the end of the connection.
  void note_gap(Owner owner, Slot slot, const Mark& position);

  // A ping is being sent. False: there is nothing to confirm.
  bool ping(Owner owner);
  // The client has received that ping.
  void pong(Owner owner);
  // The client has received everything.
  void confirm_all(Owner owner);

  // --- a copy elsewhere ---
  // What the next connection would find. Changes from now on are notified once, until the next call.
  ResumeImage image();
  // Before anybody owns it: continues from there. `is_stale`: the image may be older than what the client was sent. False: there
  // is no room for all of it.
  bool restore(const ResumeImage& image, bool is_stale);
  // `changed` runs with the record locked, on the thread of the change. `is_urgent`: a subscription has begun, of which no image knows;
  // notified each time. Before anybody owns it.
  void watch(std::function<void(bool is_urgent)> changed) { changed_ = std::move(changed); }

 private:
  using Kept = KeptSubscription;
  bool owns(Owner owner) const { return owner == owner_; }
  Kept* find(Owner owner, Slot slot);
  std::optional<Slot> free_slot();
  std::optional<Point> begin(Kept& one);
  bool add_turn(Kept& one, const Mark& at) { return one.turns.add(at, limits_.turns_max, memory_); }
  static void confirm(Kept& one, const Mark& position);
  void give_back_memory();
  static ResumeImage::Subscription image_of(const Kept& one);
  void note_change(bool is_urgent = false);

  const ResumeRecordLimits limits_;
  const std::size_t base_bytes_;
  mutable std::mutex mutex_;  // guards all below
  Owner owner_ = 0;
  std::uint64_t made_ = 0;
  std::vector<Kept> kept_;
  ByteHold memory_;
  std::function<void(bool is_urgent)> changed_;
  bool is_change_noted_ = false;
};

}  // namespace fanfare::eth
