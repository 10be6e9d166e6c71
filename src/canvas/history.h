#pragma once
// The sections of a chunk's last ticks, for clients that know an older version. One thread.

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/shared_bytes.h"
#include "canvas/spec.h"

namespace fanfare::canvas {

class History {
 public:
  // Drops the oldest sections over either limit, perhaps all.
  History(std::size_t ticks_max, std::size_t bytes_max) : ticks_max_(ticks_max), bytes_max_(bytes_max) {}

  // `version`: after the section; one more than in the last call.
  void add(Version version, SharedBytes section);
  // Whether all sections after `version` are here; true as well if no section follows it. Always false before the first add().
  bool covers(Version version) const;
  // Those after `version`, which must be covered; their bytes.
  std::size_t bytes_after(Version version) const;
  void append_after(Version version, std::vector<SharedBytes>& out) const;
  // Of the last section; 0: there was none.
  Version last() const { return last_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t ticks_max_;
  std::size_t bytes_max_;
  std::deque<SharedBytes> sections_;  // the last one made version last_
  std::size_t bytes_ = 0;
  Version last_ = 0;
};

}  // namespace fanfare::canvas
