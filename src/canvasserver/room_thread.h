#pragma once
// A room and its thread. Loops pass requests as tasks, in batches; the thread runs them, ends ticks, passes these to the
// storage, and passes what clients get to the loops, in one batch for each.
//
//   loops --post(tasks)--> inbox -> room -> finish_tick() -> storage.append() -> (committed) -> LoopLink::post()
//
// What is sent keeps its order. With `sync: full` it waits for the commit of the ticks that it shows, so a client that
// joins never gets a version that may be lost. Answers about accepted pixels wait for the commit of their tick. If the
// disk fails, what was drawn is shown and drawing is refused, but those answers go on waiting.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "canvas/client_message.h"
#include "canvas/pacer.h"
#include "canvas/room.h"
#include "canvasserver/log_clock.h"
#include "canvasserver/loop_link.h"
#include "canvasserver/room_metrics.h"
#include "canvasserver/shared_room.h"
#include "canvasserver/storage.h"
#include "canvasserver/tick_out.h"

namespace fanfare::canvasserver {

// Requests that wait for a room's thread. At either limit its loops read no more from the room's clients.
inline constexpr std::size_t kInboxTasksMax = 65'536;
inline constexpr std::size_t kInboxBytesMax = std::size_t{64} << 20;
// Restorations by moderators that wait for the one before them. One more is answered too_many_messages.
inline constexpr std::size_t kRestorationsMax = 32;
// Batches that wait on a loop: with so many the tick goes on, and what comes is in one tick.
inline constexpr std::uint32_t kLoopBatchesHigh = 2;
inline constexpr std::uint32_t kLoopBatchesMax = 64;

// One connection, for the room's thread.
struct Member {
  std::shared_ptr<LoopLink> link;
  std::string payer;
  canvas::UserNumber user = 0;      // 0: not joined, or has left
  SharedUsers::Id shared_user = 0;  // of a shared room; 0: not joined
  bool has_left = false;
  std::optional<canvas::ChunkArea> cursors_in;  // where it watches cursors
};

class RoomThread {
 public:
  using Task = UniqueFunction<void(RoomThread&)>;
  struct Options {
    canvas::RoomSpec spec;
    canvas::Limits limits;
    std::unique_ptr<RoomStorage> storage;  // null: the room has no past, and does not survive
    canvas::ProofHook* proof = nullptr;
    std::uint64_t new_epoch = 1;  // without storage
    // Of a room that other instances have as well: `storage` has nothing yet. Null: nobody else has the room.
    std::unique_ptr<SharedLog> shared_log = nullptr;
    canvas::InstanceId instance = 0;
  };

  // Error: what is stored is damaged, or the system has no thread for it.
  static std::expected<std::unique_ptr<RoomThread>, std::string> start(Options options);
  RoomThread(const RoomThread&) = delete;
  RoomThread& operator=(const RoomThread&) = delete;
  // Calls end().
  ~RoomThread();
  // Ends the thread after what was posted until now, writes what was drawn, and releases the file. What reads the past gets errors.
  // Others may still post. On one thread at a time, which must be none of the room's or of its storage's.
  void end();

  // Any thread, also below:
  // Another one for each room of the process, also for one with the name of an earlier one.
  std::uint64_t number() const { return number_; }
  bool has_ended() const { return has_ended_.load(std::memory_order_acquire); }
  // False: it is full, and `tasks` are as before. `bytes`: about what they hold. A room that ends drops them.
  bool post(std::vector<Task>& tasks, std::size_t bytes);
  // For what is rare and comes from the room's own parts: not limited. False: the room ends, and the task was destroyed.
  bool post(Task task);
  // Null: none.
  RoomStorage* storage() { return storage_.get(); }
  RoomMetrics& metrics() { return metrics_; }
  const canvas::RoomSpec& spec() const { return spec_; }
  // The present ones.
  std::shared_ptr<const canvas::Limits> limits() const;
  // From the next requests on. Loops take them over with LoopRooms::apply().
  void set_limits(const canvas::Limits& limits);
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  // As LogClock says. Instances that share a room have logs of their own, with times that differ by moments.
  bool is_past(std::int64_t at_ms) { return log_clock_.is_past(at_ms, now().wall_ms); }
  bool is_settled(std::int64_t at_ms) const { return shared_ == nullptr && log_clock_.is_settled(at_ms); }
  // False: the room is shared, and waits for the broker. Nobody can be in it.
  bool is_ready() const { return shared_ == nullptr || shared_->is_ready(); }
  // Whether what clients send can change it, apart from its storage.
  bool is_writable() const { return shared_ == nullptr || shared_->is_writable(); }
  // Null: the room is not shared.
  const SharedRoom* shared() const { return shared_.get(); }

  // The room's thread, all below.
  canvas::Room& room() { return *room_; }
  static canvas::Now now();
  // `joined` is called when Member::user is known, perhaps at once; 0: refused. Not after leave().
  void join(const std::shared_ptr<Member>& member, const canvas::JoinRequest& request, Task joined);
  void leave(Member& member);
  // What canvas::Room does, in a shared room on all instances: `done` is called when the room has changed, perhaps at once; or destroyed, if
  // the clients must begin again.
  template <typename Result>
  using Done = UniqueFunction<void(RoomThread&, const Result&)>;
  using DrawDone = Done<canvas::DrawResult>;
  using RestoreDone = Done<std::expected<std::size_t, canvas::ProtocolError>>;
  using BanDone = Done<std::expected<void, canvas::ProtocolError>>;
  void draw(const canvas::Actor& actor, std::span<const canvas::Pixel> pixels, std::string_view proof,
            DrawDone done);
  void undo(const canvas::Actor& actor, std::uint32_t count, DrawDone done);
  void restore(const canvas::Actor& actor, const canvas::ModerationEvent& event,
               const canvas::Restoration& found, RestoreDone done);
  void ban(const canvas::Actor& actor, canvas::UserNumber user, std::uint32_t seconds, BanDone done);
  // Who watches cursors where.
  void watch_cursors(Member& member, const std::optional<canvas::ChunkArea>& area);
  // To the member's loop, in order with the ticks.
  void send(const Member& member, LoopTask task) { add_to(out_, member.link, std::move(task)); }
  // The answer to a request that may have changed pixels: sent behind their tick, and with `sync: full` after its commit.
  void acknowledge(const Member& member, LoopTask task);
  // Runs the task when no moderator's restoration is under way: what one reads of the log must have what the one before it
  // has changed. False: kRestorationsMax wait. It ends with end_restoration().
  bool begin_restoration(Task begin);
  // What it changes may still wait for the next ticks.
  void end_restoration() { restoration_ended_ = true; }
  // The user's cursor is here now, and belongs to this connection; empty: it has left, if it does. It leaves with the
  // connection that moved it last, also if others of the user remain.
  void move_cursor(const Member& member, const std::optional<canvas::CursorMessage::Position>& position);

 private:
  using Batch = std::vector<std::pair<std::shared_ptr<LoopLink>, std::vector<LoopTask>>>;
  struct Held {
    std::uint64_t tick;  // must be committed first
    Batch batch;
  };

  RoomThread(Options options, const StoredRoom& stored);
  static void add_to(Batch& batch, const std::shared_ptr<LoopLink>& link, LoopTask task);
  // Why what is stored cannot be this canvas; empty: it is loaded.
  std::optional<std::string> load(const StoredRoom& stored);
  void run();
  bool is_busy() const;
  Instant next_tick() const;
  void tick();
  canvas::Tick finish_tick();
  // Of a room that is shared (room_sharing.cc):
  SharedRoom::Host host();
  void join_shared(const std::shared_ptr<Member>& member, const canvas::JoinRequest& request, Task joined);
  canvas::Room& renew(std::uint64_t epoch);
  void begin_past(std::int64_t time_ms);
  void close_clients();
  void tell_cursors(Instant now);
  void told(const SharedBytes& message);
  std::optional<canvas::ProtocolError> sharing_problem() const;
  void add_presence_and_cursors(TickOut& out, Instant now);
  void log(const canvas::Tick& tick, std::int64_t time_ms);
  // Unless the log knows the user.
  void log_user(canvas::UserNumber user, std::vector<LoggedUser>& out);
  void begin_next_restoration();
  // Hands over what may be shown.
  void flush();
  void note_cursor() { cursors_at_ = system_clock().now(); }
  void publish_metrics();

  const std::uint64_t number_;
  const canvas::RoomSpec spec_;
  canvas::ProofHook* const proof_;
  std::unique_ptr<canvas::Room> room_;
  std::atomic<std::uint64_t> epoch_;
  std::unique_ptr<RoomStorage> storage_;
  std::unique_ptr<SharedRoom> shared_;
  canvas::Pacer pacer_;
  RoomMetrics metrics_;

  // The room's thread:
  std::map<std::shared_ptr<LoopLink>, std::size_t> links_;  // and their connections
  std::map<canvas::ChunkArea, std::size_t> cursor_areas_;   // and who watches them
  std::unordered_map<canvas::UserNumber, const Member*> cursor_owners_;
  std::unordered_set<canvas::UserNumber> logged_users_;
  // Cursors that other instances do not know yet; empty: it has left.
  std::map<canvas::UserNumber, std::optional<canvas::CursorMessage::Position>> untold_cursors_;
  Instant cursors_told_at_ = kLongAgo;
  Batch out_;
  std::deque<Held> held_;
  Batch open_acks_;  // of the open tick
  std::deque<Held> held_acks_;
  std::deque<Task> restorations_;  // that wait
  bool is_restoring_ = false;      // one is under way
  bool restoration_ended_ = false;
  std::uint64_t appended_ = 0;  // the last tick that the storage has got
  std::uint64_t marked_ = 0;    // and that was shown
  Instant tick_at_{};           // the start of the last tick
  Instant cursors_at_ = Instant::min();

  LogClock log_clock_;
  std::atomic<bool> has_ended_ = false;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::shared_ptr<const canvas::Limits> limits_;
  std::vector<Task> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool has_progress_ = false;  // of the storage
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace fanfare::canvasserver
