#pragma once
// The logs of shared rooms of the canvas at the broker (decision 0587): for each room a topic of the relay with its log and one with its
// snapshots, and a subject for what is not stored. On a connection of its own: what a room keeps there is not what a stream keeps.
//
//   topics   canvas:ROOM:log  canvas:ROOM:snapshots
//   subject  NAME_live.canvas=3AROOM                     core NATS

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "canvasserver/shared_log.h"
#include "fanfare/nats.h"
#include "relay/counters.h"
#include "relay/nats_relay.h"

namespace fanfare::gateway {

// What the broker keeps of a room's log, and of its snapshots: at least two of the longest, and 16 times what is between two.
inline constexpr std::uint64_t kSharedMessagesKept = std::uint64_t{1} << 17;
inline constexpr std::uint64_t kSharedBytesKept = std::uint64_t{128} << 20;

class CanvasRelay final : private pubsub::RelaySink {
 public:
  // Connects at once, and keeps trying. Of `options`, the limits are not used.
  explicit CanvasRelay(NatsOptions options);
  CanvasRelay(const CanvasRelay&) = delete;
  CanvasRelay& operator=(const CanvasRelay&) = delete;
  // The logs have stopped.
  ~CanvasRelay();

  // Any thread. One of a room at a time; this outlives it.
  std::unique_ptr<canvasserver::SharedLog> open(const std::string& room);
  const relay::RelayCounters& counters() const { return relay_.counters(); }

 private:
  class Log;
  // One room. The callbacks of the broker find it as long as it is here.
  struct Room;

  bool on_message(std::string_view topic, Position position, SharedBytes payload) override;
  bool on_foreign(std::string_view topic, Position position) override;
  void on_lost(std::string_view topic, Position until) override;
  void on_current(std::string_view topic, std::uint64_t opening) override;
  void on_down() override { set_up(false); }
  void on_back() override { set_up(true); }
  void set_up(bool is_up);
  void on_plain(const relay::Incoming& message);
  std::shared_ptr<Room> room_of(std::string_view topic) const;
  std::uint64_t next_opening();

  const std::string name_;
  relay::NatsRelay relay_;
  mutable std::mutex mutex_;                                         // guards what follows
  std::map<std::string, std::shared_ptr<Room>, std::less<>> rooms_;  // by each topic, and by the subject
  bool is_up_ = false;
  std::uint64_t last_opening_ = 0;
};

}  // namespace fanfare::gateway
