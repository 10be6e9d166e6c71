#pragma once
// One lease: which of several instances does a work, decided by one key of a bucket that all of them see. No I/O; time is an
// argument. No clocks are compared: an instance counts from when it saw the holder's last renewal itself.
//
//   holder    renews each third of the length, and may work for three quarters of it after the last renewal that succeeded
//   others    look each quarter, and take over when the key has not changed for the whole length since they saw it
//
// So the work is taken over within one and a half lengths, and never done by two at a time while clocks run at the same pace.
//
//   key       "HOLDER NOTE" or "HOLDER"; without a holder it is free. The note is of the work, for whoever does it next

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "base/time.h"
#include "relay/bucket.h"

namespace fanfare::relay {

class Lease {
 public:
  Lease(std::string holder, Duration length) : holder_(std::move(holder)), length_(length) {}

  enum class Step : std::uint8_t {
    none,
    look,     // read the key, then seen()
    put,      // write value() behind revision(), then put_done()
    give_up,  // write free_value() behind revision(), then released()
  };
  Step next(Instant now, bool is_wanted) const;
  // When next() is something else than none; Instant::max(): not before is_wanted changes.
  Instant due(bool is_wanted) const;

  // Written with every renewal from now on. Without spaces.
  void leave(std::string note) { left_ = std::move(note); }
  // What the last holder left; empty: unknown.
  const std::string& note() const { return note_; }
  // What was read at `now`; empty: there is no key.
  void seen(Instant now, const std::optional<Bucket::Entry>& entry);
  // The answer to a put that began at `began`; empty: refused, or unknown.
  void put_done(Instant began, std::optional<std::uint64_t> revision);
  // The broker did not answer.
  void failed(Instant now) { looked_ = now; }
  void released();

  // Whether the work may be done.
  bool is_held(Instant now) const { return is_mine_ && now < valid_until(); }
  Instant valid_until() const { return saturating_add(renewed_, length_ * 3 / 4); }
  // Of renewals from now on.
  void set_length(Duration length) { length_ = length; }
  std::string value() const { return left_.empty() ? holder_ : joined({holder_, " ", left_}); }
  std::string free_value() const { return joined({" ", left_}); }
  // Zero: there is no key.
  std::uint64_t revision() const { return revision_; }

 private:
  const std::string holder_;
  Duration length_;
  bool is_mine_ = false;
  bool may_put_ = false;  // the key is free, or was abandoned
  std::uint64_t revision_ = 0;
  std::string left_;
  std::string note_;
  Instant looked_ = kLongAgo;   // and tried again a quarter of the length later
  Instant changed_ = kLongAgo;  // when this revision was first seen
  Instant renewed_ = kLongAgo;
};

}  // namespace fanfare::relay
