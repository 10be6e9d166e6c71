#pragma once
// For tests only: the record of a session, and one connection after another that has it.

#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>

#include "eth/resume_record.h"

namespace fanfare::eth::record_world {

inline Position at(std::uint64_t number, std::uint8_t branch = 0) {
  Position position{.number = number, .hash = {}, .logs_told = Position::kAll, .ancestors = {}};
  position.hash.bytes[0] = branch;
  return position;
}
inline Mark text(std::uint64_t number, std::uint8_t branch = 0) {
  return mark_of(to_cursor(at(number, branch)));
}
inline SubscriptionId id(std::uint64_t number) {
  return {.high = 0, .low = number};
}

struct RecordWorld {
  using Slot = ResumeRecord::Slot;
  using Change = ResumeRecord::Change;

  explicit RecordWorld(const ResumeRecordLimits& limits = {}) : record(limits) { owner = record.take(); }
  Slot subscribe(std::string_view topic = "newHeads", std::uint64_t number = 1) {
    return record.claim(owner, hash_of_topic(topic), id(number))->slot;
  }
  ResumeRecord::Claim again(std::string_view topic = "newHeads") {
    owner = record.take();
    return *record.claim(owner, hash_of_topic(topic), id(1));
  }
  bool note(Slot slot, std::uint64_t number, std::uint8_t branch = 0, bool retracts = false) {
    return record.note(owner, slot, text(number, branch), retracts ? Change::retracts : Change::adds);
  }
  void confirm() {
    EXPECT_TRUE(record.ping(owner));
    record.pong(owner);
  }

  ResumeRecord record;
  ResumeRecord::Owner owner = 0;
};

}  // namespace fanfare::eth::record_world
