#pragma once
// A connection that continues a session: what its subscriptions report to the session's record, and the subscriber that
// stands between a topic and the connection to do so. One thread, the loop's.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "eth/resume_record.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

class ResumeLink {
 public:
  ResumeLink(ResumeRecord& record, ResumeRecord::Owner owner) : record_(record), owner_(owner) {}
  ResumeLink(const ResumeLink&) = delete;
  ResumeLink& operator=(const ResumeLink&) = delete;
  virtual ~ResumeLink() = default;

  std::expected<ResumeRecord::Claim, ResumeRecord::Refusal> claim(const TopicHash& topic,
                                                                  const SubscriptionId& id) {
    auto claimed = record_.claim(owner_, topic, id);
    if (!claimed && claimed.error() == ResumeRecord::Refusal::no_room && !record_.is_full() && make_room())
      claimed = record_.claim(owner_, topic, id);
    return claimed;
  }
  void forget(ResumeRecord::Slot slot) { record_.forget(owner_, slot); }
  void give_back(ResumeRecord::Slot slot) { record_.give_back(owner_, slot); }
  void settle(ResumeRecord::Slot slot, const std::vector<Position>& rest, bool covers_unknown) {
    if (is_frozen_) return;
    record_.settle(owner_, slot, rest, covers_unknown);
    on_noted();
  }
  void note_gap(ResumeRecord::Slot slot, const Mark& position) { record_.note_gap(owner_, slot, position); }
  bool remembers(const SubscriptionId& id) const { return record_.remembers(owner_, id); }

  // As ResumeRecord::note() and take_back(). After freeze(), or a take_back(), nothing is noted any more: the connection ends,
  // and what follows is not sent.
  bool note(ResumeRecord::Slot slot, const Mark& position, ResumeRecord::Change change) {
    if (is_frozen_ || !record_.note(owner_, slot, position, change)) return false;
    on_noted();
    return true;
  }
  void lower(ResumeRecord::Slot slot, const std::vector<ResumeRecord::Lowered>& turns) {
    if (is_frozen_ || turns.empty()) return;
    record_.lower(owner_, slot, turns);
    on_noted();
  }
  void take_back(ResumeRecord::Slot slot) {
    record_.take_back(owner_, slot);
    freeze();
  }
  void freeze() { is_frozen_ = true; }
  bool may_send() const { return !is_frozen_ && record_.is_owner(owner_); }

 protected:
  // Whether something was freed that the session and others of its owner can do without.
  virtual bool make_room() { return false; }
  ResumeRecord& record() const { return record_; }
  ResumeRecord::Owner owner() const { return owner_; }
  // Something is being sent that the client has yet to confirm.
  virtual void on_noted() = 0;

 private:
  ResumeRecord& record_;
  const ResumeRecord::Owner owner_;
  bool is_frozen_ = false;
};

// Where a notification takes its subscriber.
struct Step {
  Mark position = {};     // none: it stays where it is
  bool retracts = false;  // a reorg removes what was sent before
};

// A frame without bytes moves the position, and is not sent.
class TrackedSubscriber final : public pubsub::Subscriber {
 public:
  // `step` is that of the notification being delivered. Everything must outlive it. `retracts`: its type retracts what reorgs
  // removed.
  TrackedSubscriber(pubsub::Subscriber& connection, ResumeLink& link, ResumeRecord::Slot slot,
                    const Step& step, bool retracts)
      : connection_(connection), link_(link), slot_(slot), step_(step), retracts_(retracts) {}

  bool deliver(const SharedBytes& frame) override {
    ResumeLink& link = link_;  // a delivery may end the connection, and this object with it
    const ResumeRecord::Slot slot = slot_;
    const bool moves = static_cast<bool>(step_.position);
    if (moves ? !link.note(slot, step_.position, change()) : !link.may_send()) return false;
    if (frame.empty() || connection_.deliver(frame)) return true;
    if (moves) {
      link.take_back(slot);
    } else {
      link.freeze();
    }
    return false;
  }
  bool is_congested() const override { return connection_.is_congested(); }

  ResumeLink& link() const { return link_; }
  ResumeRecord::Slot slot() const { return slot_; }
  bool retracts() const { return retracts_; }

 private:
  ResumeRecord::Change change() const {
    if (!retracts_) return ResumeRecord::Change::replaces;
    return step_.retracts ? ResumeRecord::Change::retracts : ResumeRecord::Change::adds;
  }

  pubsub::Subscriber& connection_;
  ResumeLink& link_;
  const ResumeRecord::Slot slot_;
  const Step& step_;
  const bool retracts_;
};

}  // namespace fanfare::eth
