#pragma once
// What the connections of one loop keep of messages and bodies that have not come whole: a limit on the memory of all of
// them together, and a rate below which a message is not waited for. Few connections have any, so it is stored here, by
// connection.
//
//   if (!table.unfinished().note(*this, held_bytes, came_bytes, now_ms())) refuse();
//
// The budget's rule protects others: a connection may keep at most as much as is free (base/byte_budget.h). Loop thread.

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/byte_budget.h"
#include "base/time.h"

namespace fanfare::session {

class Member;

// Of one connection.
struct UnfinishedPart {
  ByteHold hold;
  std::uint64_t came = 0;  // since `from_ms`
  std::uint32_t from_ms = 0;
};

class UnfinishedInput {
 public:
  // Of the connections of all loops that have the same budget; null: no limit. It must outlive this.
  void set_budget(ByteBudget* budget) { budget_ = budget; }
  bool has_budget() const { return budget_ != nullptr; }

  // The connection keeps `held` bytes of an unfinished message or body; zero: of none, and it is forgotten. `came`: what it
  // has received since the last call, unprocessed. False: there is no memory for that; forget it then.
  bool note(const Member& member, std::size_t held, std::size_t came, std::uint32_t now_ms);
  void forget(const Member& member);

  // The rate is measured from now on: nothing could come.
  void restart(const Member& member, std::uint32_t now_ms);
  // Whether less than `bytes_per_second_min` came on average since the last check that said no, if that is at least `time`
  // ago. False for a connection that keeps nothing.
  bool is_too_slow(const Member& member, Duration time, std::uint32_t bytes_per_second_min,
                   std::uint32_t now_ms);

 private:
  ByteBudget* budget_ = nullptr;
  std::unordered_map<const Member*, UnfinishedPart> parts_;
};

}  // namespace fanfare::session
