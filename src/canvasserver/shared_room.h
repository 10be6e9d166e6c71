#pragma once
// The part of a room's thread that shares the room with other instances over a log (decision 0587). It loads the last snapshot, applies
// the log behind it, and writes what this instance's clients may do.
//
//   off        start() was not called, or the log cannot be followed: an entry of a newer version, another canvas
//   loading    reads snapshots: at the start, and when the log has lost what comes next
//   following  applies the log. Until the entry with which the epoch begins has come (is_ready() is false), nobody is in the room
//
// Everything on the room's thread, unless stated otherwise.

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

#include "base/random.h"
#include "base/time.h"
#include "canvas/replica.h"
#include "canvasserver/shared_log.h"
#include "canvasserver/shared_outbox.h"
#include "canvasserver/shared_users.h"
#include "canvasserver/signs_of_life.h"
#include "canvasserver/snapshot_parts.h"

namespace fanfare::canvasserver {

// Entries of the log that wait for the room: then the broker keeps what comes.
inline constexpr std::size_t kSharedEntriesMax = 1024;
// Applied in one tick.
inline constexpr std::size_t kSharedEntriesPerTick = 256;
// An instance without a state leaves the beginning of an epoch to others for so long.
inline constexpr Duration kBlankWait = std::chrono::seconds(1);
// What the broker did not take, or does not have yet, is tried again.
inline constexpr Duration kSharedRetry = std::chrono::milliseconds(200);
// A state is stored at most so often for others that lack one.
inline constexpr Duration kStateInterval = std::chrono::seconds(2);

class SharedRoom final : private SharedLogReader {
 public:
  // What it needs of the room's thread.
  struct Host {
    std::function<canvas::Room&()> room;
    // Makes the room anew, blank, with this epoch.
    std::function<canvas::Room&(std::uint64_t epoch)> renew;
    // The log of the past begins again with the present state.
    std::function<void(std::int64_t time_ms)> begin_past;
    std::function<void(const canvas::Tick&, std::int64_t time_ms)> applied;
    // Clients can come: the epoch of the room is known.
    std::function<void()> began;
    // Clients must begin again: what they know is of another state.
    std::function<void()> close_clients;
    // Any thread. Runs the task on the room's, unless that has ended.
    std::function<void(UniqueFunction<void(SharedRoom&)>)> post;
    std::function<void(SharedBytes)> told;
  };
  struct Counters {  // any thread
    std::atomic<bool> is_ready = false;
    std::atomic<std::uint64_t> entries = 0;    // applied
    std::atomic<std::uint64_t> resets = 0;     // began again with another state
    std::atomic<std::uint64_t> snapshots = 0;  // saved by this instance
    std::atomic<std::uint64_t> gone = 0;       // instances of which nothing was heard
  };

  SharedRoom(std::unique_ptr<SharedLog> log, canvas::InstanceId instance, Host host);
  ~SharedRoom();
  SharedRoom(const SharedRoom&) = delete;
  SharedRoom& operator=(const SharedRoom&) = delete;

  void start();
  // Not on the room's thread. Nothing is posted any more.
  void stop();

  // Whether clients can be in the room; and whether they can change it. Any thread.
  bool is_ready() const { return counters_.is_ready.load(std::memory_order_acquire); }
  bool is_writable() const { return is_ready() && is_up_ && !outbox_.is_full(); }
  const Counters& counters() const { return counters_; }

  // As SharedUsers.
  SharedUsers::Id join(const canvas::SharedJoin& who, SharedUsers::Joined joined);
  void leave(SharedUsers::Id user) { users_.leave(user); }
  // For the next batch. The result comes when this instance applies it.
  void add(canvas::SharedRequest request, SharedOutbox::Done done) {
    outbox_.add(std::move(request), std::move(done));
  }
  void tell(SharedBytes message) { log_->tell(std::move(message)); }
  // Whether anybody else watches.
  bool has_others(Instant now) const { return signs_.has_others(now); }
  // A message of tell() came from this instance.
  void heard(canvas::InstanceId instance, Instant now) { signs_.heard(instance, now); }
  canvas::InstanceId instance() const { return instance_; }
  // A message of tell() asked for a snapshot of what is there now.
  void state_wanted(Instant now);

  // Applies what has come. The chunks of several ticks come one behind the other.
  bool has_entries() const { return !entries_.empty() && phase_ == Phase::following; }
  canvas::Tick advance(Instant now);
  // Writes what is due, and looks after other instances. When it should be called next, at the latest.
  void poll(Instant now, std::int64_t wall_ms);
  Instant due() const { return due_; }

 private:
  enum class Phase : std::uint8_t { off, loading, following };
  struct Entry {
    Position position;
    SharedBytes bytes;  // empty: everything up to there is lost
    bool is_lost = false;
  };

  // SharedLogReader, on the broker's threads:
  bool on_entry(Position position, SharedBytes entry) override;
  void on_lost(Position until) override;
  void on_current() override;
  bool on_snapshot_part(SharedBytes part) override;
  void on_snapshots_read() override;
  void on_up(bool is_up) override;
  void on_told(SharedBytes message) override;

  void queue(Entry entry);
  void set_up(bool is_up);
  // Which one: that with this id; 0: the latest.
  void begin_loading(std::uint64_t wanted);
  void loaded();
  void load_again(std::string_view reason);
  bool install(Snapshot snapshot);
  void renew();
  void follow(Position after);
  void give_up(std::string_view reason);

  void handle_lost(Position until);
  void handle(const Entry& entry, canvas::Tick& all);
  void handle_base(const canvas::SharedBase& base);
  void handle_batch(const canvas::SharedBatch& batch, std::size_t bytes, canvas::Tick& all);
  void leave_epoch();
  void begin_epoch();
  void drop_outbox();
  void note_ready();

  void propose(Instant now);
  void append_base(std::uint64_t snapshot);
  void save(bool is_based);
  void send_parts();
  void part_done(bool is_stored);
  void send(Instant now, std::int64_t wall_ms);
  void append_batch();
  void agree_users();
  void look_after_others(Instant now);

  const std::unique_ptr<SharedLog> log_;
  const canvas::InstanceId instance_;
  const Host host_;
  SystemRandom random_;
  Counters counters_;
  std::atomic<std::size_t> queued_ = 0;  // entries that wait

  Instant now_{};  // of the last poll() or advance()
  Phase phase_ = Phase::off;
  std::optional<canvas::Replica> copy_;
  Position at_;               // everything up to there was applied
  std::uint64_t origin_ = 0;  // the snapshot that the copy is; 0: none is known
  bool has_state_ = false;    // the copy is not blank
  bool is_based_ = false;     // the epoch has begun
  bool is_current_ = false;
  std::atomic<bool> is_up_ = false;
  std::deque<Entry> entries_;
  SnapshotReader reader_;
  std::uint64_t wanted_ = 0;
  bool is_reading_ = false;  // snapshots
  bool is_missing_told_ = false;
  Instant retry_at_ = Instant::max();
  std::optional<Instant> blank_since_;

  SharedUsers users_;
  SharedOutbox outbox_;
  bool is_appending_ = false;  // the broker has the batch, and has not answered
  bool is_stored_ = false;     // it is in the log
  std::uint64_t attempt_ = 0;  // to append it: answers to earlier ones do not count
  Instant append_at_{};        // not before
  Instant sent_at_ = kLongAgo;
  bool is_proposed_ = false;
  bool is_saving_ = false;
  std::uint64_t saving_ = 0;  // the snapshot; with `proposes_`, the base that follows it
  bool proposes_ = false;
  std::deque<SharedBytes> parts_;  // that are not stored yet
  bool is_part_under_way_ = false;
  std::thread packer_;
  SignsOfLife signs_{instance_};
  std::optional<Instant> stored_at_;  // for others
  Instant alive_at_ = kLongAgo;
  Instant looked_at_ = kLongAgo;
  bool others_have_users_ = false;
  Instant due_ = Instant::max();
};

// What SharedLog::tell() carries: | kind u8 | instance u64 |, and of cursors | count varint | count x cursor |
//   cursor: | user varint | is here u8 | x u16 | y u16 |
enum class Told : std::uint8_t { alive, cursors, state_wanted };
SharedBytes told_by(canvas::InstanceId instance, Told kind);

}  // namespace fanfare::canvasserver
