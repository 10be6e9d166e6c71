#pragma once
// Whether the brokers can still store what is published. A consumer may live at a broker that is alive, and go on with its
// heartbeats, while most of the others are gone and its stream stores nothing: so the streams are asked, one after the other.
//
// Only streams with replicas need a majority. One thread, the relay's.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace fanfare::relay {

class MajorityWatch {
 public:
  // `ask` sends the request for a stream's state; the answer comes to answered(). `every`: between two requests.
  MajorityWatch(std::uint32_t replicas, Duration every, std::function<void(const std::string& stream)> ask)
      : is_needed_(replicas > 1), every_(every), ask_(std::move(ask)) {}

  // `stream_after` returns the stream to ask after the given one, so that all are asked in turn. It returns "" if there are no streams.
  void tick(Instant now, const std::function<std::string(std::string_view stream)>& stream_after);
  // The answer to the last request. `can_store`: whether the stream has a leader, and so a majority of its brokers.
  void answered(bool can_store);
  // The connection is new: what was asked on the last one is not answered.
  void restart();

  // The last kUnansweredMax requests had no answer, or the last answer was that nothing can be stored.
  bool is_lost() const { return is_lost_; }

  static constexpr int kUnansweredMax = 3;  // requests

 private:
  const bool is_needed_;
  const Duration every_;
  const std::function<void(const std::string&)> ask_;
  std::string asked_;  // the stream of the last request
  int unanswered_ = 0;
  bool is_lost_ = false;
  std::optional<Instant> next_ = {};
};

}  // namespace fanfare::relay
