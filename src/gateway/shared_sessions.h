#pragma once
// Sessions of clients that continue at any instance of a fleet (decision 0589). Each session is in the memory of one instance
// (eth::MemoryResumeStore), and the broker has a copy of it, with the name of that instance.
//
//   open       ours              it continues
//              another's         that instance is asked: it ends its connection, and answers with the session as it is
//              another's, gone   the copy. What its client got after the last copy comes again
//              nobody's          it is new
//              the broker away   a session that is here continues; otherwise the client tries again
//   then       the copy is written with our name, on condition that nobody else has written since
//   changes    are written about once a second for each session; a new subscription, or the end of its connection, at once
//   another instance has continued one that is closed here: it tells us, and the memory is free. Should we not hear it, a look at the
//                     copies of closed ones in turn finds it
//   a write fails because another instance has written: it has the session, and our connection ends. Unless its copy is of before we took
//                     the session from it: the broker has lost ours, and we write it again
//   a copy is not there any more, or is an older one: the broker has lost some, and all are written again. The oldest and the newest one
//                     are looked at from time to time, because a purge, or a broker that lost its end, changes nothing else that we see
//
// Everything on the broker's thread, unless stated otherwise.

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eth/resume_image.h"
#include "eth/resume_store.h"
#include "fanfare/unique_function.h"
#include "relay/record_broker.h"

namespace fanfare::gateway {

struct SharedSessionLimits {
  Duration write_interval = std::chrono::seconds(1);         // between two writes of an open session
  Duration urgent_interval = std::chrono::milliseconds(50);  // with a new subscription
  Duration look_interval = std::chrono::seconds(5);  // between two looks for copies that the broker has lost
  std::size_t closed_looks = 8;  // copies of closed sessions that are looked at each time, one after another
  Duration age_max = std::chrono::hours(1);      // of a copy that is not written again: sessionTimeout
  std::size_t writes_in_flight_max = 256;        // further ones wait
  std::size_t openings_max = 10'000;             // at a time; one more is refused as if the broker were away
  std::size_t bytes_max = std::size_t{1} << 20;  // of a copy, if the broker takes so much
};

// Any thread.
struct SharedSessionCounters {
  std::atomic<bool> is_up = false;          // now: the broker answers
  std::atomic<std::uint64_t> written = 0;   // copies
  std::atomic<std::uint64_t> failed = 0;    // writes without an answer, or refused; they are repeated
  std::atomic<std::uint64_t> handed = 0;    // sessions that another instance has asked for
  std::atomic<std::uint64_t> taken = 0;     // got from the instance that had them
  std::atomic<std::uint64_t> restored = 0;  // from a copy whose instance had closed the session
  std::atomic<std::uint64_t> stale = 0;     // from a copy whose instance was gone
  std::atomic<std::uint64_t> lost = 0;      // another instance had taken the copy
  std::atomic<std::uint64_t> refused = 0;   // openings while the broker was away
  std::atomic<std::uint64_t> losses = 0;    // the broker was found to have lost copies
  std::atomic<std::uint64_t> too_long = 0;  // sessions whose copy the broker does not take
};

class SharedSessions final : public relay::RecordUser {
 public:
  // `instance` is unique. The broker outlives this, and has stopped before its end.
  SharedSessions(relay::RecordBroker& broker, std::uint64_t instance, const SharedSessionLimits& limits,
                 Clock& clock);
  ~SharedSessions() override;

  enum class Refusal : std::uint8_t {
    limit,       // the store's, in `limit`
    away,        // the broker does not answer
    unreadable,  // the copy is of a newer version, or damaged
  };
  struct Refused {
    Refusal why = Refusal::away;
    eth::ResumeRefusal limit = {};
  };
  struct Caller {
    eth::ResumeKey key{};
    std::string counts_for;
    std::shared_ptr<const void> identity;
  };
  using Opened = UniqueFunction<void(std::expected<eth::ResumeLease, Refused>)>;

  // Any thread. The store's sessions are shared from now on. Before its first session.
  void add(const std::shared_ptr<eth::MemoryResumeStore>& store);
  // Any thread. As ResumeStore::open(); `done` is called later, on the broker's thread, or destroyed at its stop.
  void open(const std::shared_ptr<eth::MemoryResumeStore>& store, Caller caller, Opened done);
  // Any thread but the broker's. Returns when all changes so far are stored, or after that time.
  void flush(Duration at_most);
  const SharedSessionCounters& counters() const { return counters_; }

  std::string on_asked(std::string_view question) override;
  void on_forgotten() override;
  void on_tick(Instant now) override;

 private:
  class Opening;
  using Store = std::shared_ptr<eth::MemoryResumeStore>;
  struct Entry {
    Store store;
    std::uint64_t revision = 0;  // of the copy that we wrote last; 0: none
    std::uint32_t turn = 0;      // SharedSession::turn
    bool is_changed = false;
    bool is_urgent = false;
    bool is_doubted = false;              // the broker may have lost the copy
    std::uint64_t under_way = 0;          // the number of a write; 0: none is
    std::optional<Instant> due = {};      // in schedule_
    std::optional<Instant> written = {};  // when it was written last
  };
  struct Change {
    eth::ResumeKey key;
    std::weak_ptr<eth::MemoryResumeStore> store;
    bool is_urgent = false;
  };

  void take_changes();
  void note_change(const Change& change);
  void schedule(const eth::ResumeKey& key, Entry& entry, Instant at);
  // When a change is to be written.
  Instant due_of(const eth::ResumeKey& key, const Entry& entry) const;
  void write_due(Instant now);
  void write(const eth::ResumeKey& key, Entry& entry);
  using Failure = relay::RecordBroker::Failure;
  using Stored = relay::RecordBroker::Stored;
  void written(const eth::ResumeKey& key, std::uint64_t number, std::expected<std::uint64_t, Failure> result);
  // Another revision is there than the one that we know.
  void repair(const eth::ResumeKey& key, std::uint64_t number);
  void repaired(const eth::ResumeKey& key, std::uint64_t number,
                const std::expected<std::optional<Stored>, Failure>& got);
  void again(const eth::ResumeKey& key, Entry& entry);
  void look_for_losses(Instant now);
  void look_at(const eth::ResumeKey& key, std::uint64_t revision);
  void note_loss();
  // Another instance has continued it from its closed copy.
  void taken(const eth::ResumeKey& key, std::uint32_t turn);
  // Of a write that is under way. Null: it does not count any more.
  Entry* end_write(const eth::ResumeKey& key, std::uint64_t number);
  void lose(const eth::ResumeKey& key);
  // A connection has it again, and the copy does not say so yet.
  void note_reopened(const eth::ResumeKey& key);
  void forget(const eth::ResumeKey& key);
  // The copy is written, and the session is here.
  void keep(const eth::ResumeKey& key, const Store& store, std::uint64_t revision, std::uint32_t turn);
  std::optional<std::string> encode(bool is_closed, std::uint32_t turn, eth::ResumeImage image);
  // Of the session that is here. Empty: none is, or its connection has not been opened yet.
  std::optional<std::uint32_t> turn_here(const eth::ResumeKey& key) const;
  void begin(std::shared_ptr<Opening> opening);
  void ended(const eth::ResumeKey& key);
  void note_idle();

  relay::RecordBroker& broker_;
  const std::uint64_t instance_;
  const SharedSessionLimits limits_;
  Clock& clock_;
  SharedSessionCounters counters_;
  std::map<eth::ResumeKey, Entry> entries_;
  std::set<std::pair<Instant, eth::ResumeKey>> schedule_;
  std::size_t under_way_ = 0;
  std::uint64_t last_write_ = 0;
  Instant look_at_{};
  eth::ResumeKey looked_{};  // the last closed one that was looked at
  std::map<eth::ResumeKey, std::deque<std::shared_ptr<Opening>>> openings_;  // the first one is under way
  std::size_t openings_count_ = 0;
  bool is_flushing_ = false;

  std::mutex mutex_;  // guards what follows
  std::condition_variable idle_;
  std::vector<Change> changes_;
  bool wants_idle_ = false;
  bool is_idle_ = false;
};

}  // namespace fanfare::gateway
