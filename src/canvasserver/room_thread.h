#pragma once
// A room and its thread. Loops pass requests as tasks, in batches; the thread runs them, ends ticks, passes these to the
// storage, and passes what clients get to the loops, in one batch for each.
//
//   loops --post(tasks)--> inbox -> room -> finish_tick() -> storage.append() -> (committed) -> LoopLink::post()
//
// What is sent keeps its order. With `sync: full` it waits for the commit of the ticks that it shows, so a client that
// joins never gets a version that may be lost. Answers about accepted pixels wait for the commit of their tick. If the
// disk fails, what was drawn is shown and drawing is refused, but those answers go on waiting.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "canvas/client_message.h"
#include "canvas/pacer.h"
#include "canvas/room.h"
#include "canvasserver/loop_link.h"
#include "canvasserver/room_metrics.h"
#include "canvasserver/storage.h"
#include "canvasserver/tick_out.h"

namespace fanfare::canvasserver {

// Requests that wait for a room's thread. At either limit its loops read no more from the room's clients.
inline constexpr std::size_t kInboxTasksMax = 65'536;
inline constexpr std::size_t kInboxBytesMax = std::size_t{64} << 20;
// Batches that wait on a loop: with so many the tick goes on, and what comes is in one tick.
inline constexpr std::uint32_t kLoopBatchesHigh = 2;
inline constexpr std::uint32_t kLoopBatchesMax = 64;

// One connection, for the room's thread.
struct Member {
  std::shared_ptr<LoopLink> link;
  std::string payer;
  canvas::UserNumber user = 0;                  // 0: not joined, or has left
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
  };

  // Error: what is stored is damaged, or the system has no thread for it.
  static std::expected<std::unique_ptr<RoomThread>, std::string> start(Options options);
  RoomThread(const RoomThread&) = delete;
  RoomThread& operator=(const RoomThread&) = delete;
  // Writes what was drawn. The loops may still post.
  ~RoomThread();

  // Any thread. False: it is full, and `tasks` are as before. `bytes`: about what they hold.
  bool post(std::vector<Task>& tasks, std::size_t bytes);
  // For what is rare and comes from the room's own parts: not limited.
  void post(Task task);
  // Null: none. Any thread.
  RoomStorage* storage() { return storage_.get(); }
  RoomMetrics& metrics() { return metrics_; }
  const canvas::RoomSpec& spec() const { return spec_; }
  const canvas::Limits& limits() const { return room_.limits(); }
  std::uint64_t epoch() const { return room_.epoch(); }
  // Whether no tick of that time or before can follow: then the log has the answer, and it never changes. The times of ticks
  // grow, also if the machine's clock is set back or the room was away. Any thread.
  bool is_past(std::int64_t at_ms);
  // Also over a restart: a tick of that time or after is in the log.
  bool is_settled(std::int64_t at_ms);

  // The room's thread, all below.
  canvas::Room& room() { return room_; }
  static canvas::Now now();
  void join(const std::shared_ptr<Member>& member, const canvas::JoinRequest& request);
  void leave(Member& member);
  // Who watches cursors where.
  void watch_cursors(Member& member, const std::optional<canvas::ChunkArea>& area);
  // To the member's loop, in order with the ticks.
  void send(const Member& member, LoopTask task) { add_to(out_, member.link, std::move(task)); }
  // The answer to a request that may have changed pixels: sent behind their tick, and with `sync: full` after its commit.
  void acknowledge(const Member& member, LoopTask task);
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
  void add_presence_and_cursors(TickOut& out, Instant now);
  void log(const canvas::Tick& tick);
  std::int64_t next_log_ms() const;
  // Hands over what may be shown.
  void flush();
  void note_cursor() { cursors_at_ = system_clock().now(); }
  void publish_metrics();

  const canvas::RoomSpec spec_;
  canvas::Room room_;
  std::unique_ptr<RoomStorage> storage_;
  canvas::Pacer pacer_;
  RoomMetrics metrics_;

  // The room's thread:
  std::map<std::shared_ptr<LoopLink>, std::size_t> links_;  // and their connections
  std::map<canvas::ChunkArea, std::size_t> cursor_areas_;   // and who watches them
  std::unordered_map<canvas::UserNumber, const Member*> cursor_owners_;
  std::unordered_set<canvas::UserNumber> logged_users_;
  Batch out_;
  std::deque<Held> held_;
  Batch open_acks_;  // of the open tick
  std::deque<Held> held_acks_;
  std::uint64_t appended_ = 0;  // the last tick that the storage has got
  std::uint64_t marked_ = 0;    // and that was shown
  Instant tick_at_{};           // the start of the last tick
  Instant cursors_at_ = Instant::min();

  std::mutex log_mutex_;      // guards what follows; held from a tick's time until the storage has the tick
  std::int64_t last_log_ms_;  // of the last tick
  std::int64_t told_ms_ = 0;  // is_past() of this moment was true

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Task> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool has_progress_ = false;  // of the storage
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace fanfare::canvasserver
