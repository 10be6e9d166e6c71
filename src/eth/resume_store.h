#pragma once
// The sessions of one network: which connection has each, and what it remembers (resume_record.h). A session is found by a
// key that its caller derives from the network, the identity and the token, so that nobody finds another's.
//
// MemoryResumeStore keeps them in the process. For a fleet, src/gateway/shared_sessions.h moves them between the memories of instances.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/byte_budget.h"
#include "base/time.h"
#include "eth/resume_limits.h"
#include "eth/resume_record.h"

namespace fanfare::eth {

using ResumeKey = std::array<std::uint8_t, 32>;

enum class ResumeRefusal : std::uint8_t {
  off,        // sessions_max is zero
  total,      // sessions_max, or bytes_max
  per_owner,  // sessions_per_owner_max, or bytes_per_owner_max
};

class ResumeStore;

// A connection's hold on its session. It gives the session back at its end.
class ResumeLease {
 public:
  ResumeLease(std::shared_ptr<ResumeStore> store, const ResumeKey& key, std::shared_ptr<ResumeRecord> record,
              ResumeRecord::Owner owner, bool is_known)
      : store_(std::move(store)), key_(key), record_(std::move(record)), owner_(owner), is_known_(is_known) {}
  ResumeLease(ResumeLease&& other) noexcept = default;
  ResumeLease& operator=(ResumeLease&&) = delete;
  ResumeLease(const ResumeLease&) = delete;
  ResumeLease& operator=(const ResumeLease&) = delete;
  ~ResumeLease();

  ResumeRecord& record() const { return *record_; }
  ResumeRecord::Owner owner() const { return owner_; }
  // An earlier connection had the session.
  bool is_known() const { return is_known_; }
  // `on_taken` runs once another connection takes the session, on that connection's thread. False: one already has.
  bool watch(std::function<void()> on_taken);
  // Frees what the sessions of its owner can do without (ResumeRecord::give_up_turns()). False: nothing.
  bool make_room();

 private:
  std::shared_ptr<ResumeStore> store_;  // null: moved from
  ResumeKey key_;
  std::shared_ptr<ResumeRecord> record_;
  ResumeRecord::Owner owner_;
  bool is_known_;
};

class ResumeStore {
 public:
  ResumeStore() = default;
  ResumeStore(const ResumeStore&) = delete;
  ResumeStore& operator=(const ResumeStore&) = delete;
  virtual ~ResumeStore() = default;

  // The caller's connection has the session from now on; a connection that had it is notified. `counts_for`: whose limit
  // a new session counts for. `identity`: for drop_if().
  virtual std::expected<ResumeLease, ResumeRefusal> open(const ResumeKey& key, const std::string& counts_for,
                                                         std::shared_ptr<const void> identity,
                                                         Instant now) = 0;
  // Forgets the sessions of these identities, with or without a connection.
  virtual void drop_if(const std::function<bool(const void* identity)>& is_gone) = 0;
  virtual std::size_t size() const = 0;
  // The counts apply to sessions that begin later, the timeout to all. An owner who has sessions keeps its limit of
  // memory until it has none.
  virtual void set_limits(const ResumeLimits& limits) = 0;

 protected:
  friend class ResumeLease;
  // Nothing happens for a lease that does not have the session any more: owners are numbered within their record.
  virtual bool watch(const ResumeKey& key, const ResumeRecord& record, ResumeRecord::Owner owner,
                     std::function<void()> on_taken) = 0;
  virtual void close(const ResumeKey& key, const ResumeRecord& record, ResumeRecord::Owner owner) = 0;
  virtual bool make_room(const ResumeKey& key) = 0;
};

class MemoryResumeStore final : public ResumeStore, public std::enable_shared_from_this<MemoryResumeStore> {
 public:
  // `count`: is passed the number of sessions, and the changes of the counters since the last call, on the thread of the
  // change. `clock` must outlive the store.
  using Count = std::function<void(std::size_t live, const ResumeCounters& since)>;
  MemoryResumeStore(const ResumeLimits& limits, Clock& clock, Count count)
      : clock_(clock), count_(std::move(count)), memory_(limits.bytes_max), limits_(limits) {}

  std::expected<ResumeLease, ResumeRefusal> open(const ResumeKey& key, const std::string& counts_for,
                                                 std::shared_ptr<const void> identity, Instant now) override;
  void drop_if(const std::function<bool(const void* identity)>& is_gone) override;
  std::size_t size() const override;
  void set_limits(const ResumeLimits& limits) override;

  // --- for a fleet, any thread ---
  // `changed` is called when copy() of the session would be another one, on the thread of the change and with locks held; once until
  // copy() is called. `is_urgent`: as ResumeRecord::watch(). Before the first session.
  using Changed = std::function<void(const ResumeKey& key, bool is_urgent)>;
  void watch(Changed changed) { changed_ = std::move(changed); }
  struct Copy {
    ResumeImage image;
    bool is_open = false;  // a connection has it
  };
  // Empty: there is no such session.
  std::optional<Copy> copy(const ResumeKey& key);
  bool has(const ResumeKey& key) const;
  // Whether a connection has it.
  bool is_open(const ResumeKey& key) const;
  // As open(), for a session that continues from there; one of this key ends here. `is_stale`: as ResumeRecord::restore().
  std::expected<ResumeLease, ResumeRefusal> adopt(const ResumeKey& key, const std::string& counts_for,
                                                  std::shared_ptr<const void> identity,
                                                  const ResumeImage& image, bool is_stale, Instant now);
  // The session is not here any more; its connection is notified. Empty: it was not here.
  std::optional<ResumeImage> release(const ResumeKey& key);

 private:
  struct Session {
    std::shared_ptr<ResumeRecord> record;
    std::string counts_for;
    std::shared_ptr<const void> identity;
    std::function<void()> on_taken = {};
    ResumeRecord::Owner owner = 0;
    bool is_open = true;  // a connection has it
    Instant left{};
    std::list<ResumeKey>::iterator place = {};  // in idle_, unless it is open
    Session* before = nullptr;                  // of its owner
    Session* next = nullptr;

    bool is_of(const ResumeRecord& its_record, ResumeRecord::Owner its_owner) const {
      return record.get() == &its_record && owner == its_owner;
    }
  };
  struct Owner {
    std::size_t sessions = 0;
    std::shared_ptr<ByteShare> memory;
    Session* first = nullptr;
    std::optional<Instant> frugal_until = {};  // its sessions had nothing to free
  };
  struct KeyHash {
    std::size_t operator()(const ResumeKey& key) const noexcept;
  };
  using Sessions = std::unordered_map<ResumeKey, Session, KeyHash>;

  bool watch(const ResumeKey& key, const ResumeRecord& record, ResumeRecord::Owner owner,
             std::function<void()> on_taken) override;
  void close(const ResumeKey& key, const ResumeRecord& record, ResumeRecord::Owner owner) override;
  bool make_room(const ResumeKey& key) override;
  // The same for an owner with a limit of its own, as long as it is of use.
  bool make_room_for(const std::string& counts_for);
  void note_change(const ResumeKey& key) const;
  std::expected<ByteHold, ResumeRefusal> take_room(const std::string& counts_for);
  std::expected<ResumeLease, ResumeRefusal> make(const ResumeKey& key, const std::string& counts_for,
                                                 std::shared_ptr<const void> identity,
                                                 const ResumeImage* image, bool is_stale);
  // A session's record: with what `image` remembers, if it is not null.
  std::expected<std::shared_ptr<ResumeRecord>, ResumeRefusal> record_for(const std::string& counts_for,
                                                                         const ResumeImage* image,
                                                                         bool is_stale);
  void expire(Instant now);
  Sessions::iterator erase(Sessions::iterator session);
  void report(ResumeCounters since) const;

  // Between two looks at all sessions of an owner for something to free.
  static constexpr Duration kFrugalFor = std::chrono::seconds(1);

  Clock& clock_;
  const Count count_;
  Changed changed_;
  ByteBudget memory_;
  mutable std::mutex mutex_;  // guards all below
  ResumeLimits limits_;
  Sessions sessions_;
  std::unordered_map<std::string, Owner> owners_;
  std::list<ResumeKey> idle_;  // the sessions without a connection, the one that was left first in front
};

}  // namespace fanfare::eth
