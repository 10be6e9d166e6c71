#pragma once
// The presence of a topic: its members, each with any number of connections. Changes are collected until they are
// taken, so a member that leaves and comes back in between is no change. One thread, the topic's home loop.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/topic.h"

namespace fanfare::pubsub {

class Presence {
 public:
  // One connection of the member more, or less. Each leave() follows its join().
  void join(std::string_view member);
  void leave(std::string_view member);

  bool has_changes() const { return !changed_.empty(); }
  // Since the last take().
  PresenceChange take();
  // Now. Sorted.
  std::vector<std::string> members() const;
  std::size_t member_count() const { return connections_.size(); }

 private:
  void note(std::string_view member, bool is_in);

  std::map<std::string, std::size_t, std::less<>> connections_;
  std::map<std::string, bool, std::less<>> changed_;  // whether it was in at the last take()
};

}  // namespace fanfare::pubsub
