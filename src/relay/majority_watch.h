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

  // `stream_after` names the stream that follows the given one, the first one after the last; empty: there is none.
  void tick(Instant now, const std::function<std::string(std::string_view stream)>& stream_after);
  // `is_stored`: the broker that answered has a majority. Otherwise it says that there is none.
  void answered(bool is_stored);
  // The connection is new: what was asked on the last one is not answered.
  void restart();

  // Neither one answer came in time nor any since then.
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
