#pragma once
// A room's part on one loop: its connections there, by the area that they watch, and the requests of this turn. Loop
// thread.

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "canvasserver/loop_link.h"
#include "canvasserver/room_thread.h"
#include "session/member.h"
#include "session/slow_watch.h"

namespace fanfare::canvasserver {

class Connection;

// Requests of one turn. With so many, connections that send more are not read until the room has taken them.
inline constexpr std::size_t kBatchTasksMax = 8192;
inline constexpr std::size_t kBatchBytesMax = std::size_t{4} << 20;

class LoopRoom {
 public:
  // The loop must outlive it.
  LoopRoom(std::shared_ptr<RoomThread> room, net::Loop& loop, Duration slow_timeout);
  LoopRoom(const LoopRoom&) = delete;
  LoopRoom& operator=(const LoopRoom&) = delete;
  // Its connections have ended, or end with their loop.
  ~LoopRoom();

  RoomThread& room() { return *room_; }
  // The present ones, as far as this loop knows: apply_limits() takes them over.
  const canvas::Limits& limits() const { return *limits_; }
  void apply_limits() { limits_ = room_->limits(); }
  net::Loop& loop() { return loop_; }
  session::SlowWatch& slow_watch() { return slow_watch_; }
  const std::shared_ptr<LoopLink>& link() const { return link_; }

  // A connection between its start and its end.
  void add(Connection& connection);
  void remove(Connection& connection);
  // Null: it has ended.
  Connection* find(session::SessionId id) const;
  // What it watches; empty: nothing.
  void set_area(Connection& connection, const std::optional<canvas::ChunkArea>& before,
                const std::optional<canvas::ChunkArea>& after);

  // Passed to the room at the end of the turn. `bytes`: about what the task holds.
  void request(RoomThread::Task task, std::size_t bytes);
  // The batch is full: the caller should pause its connection, which is resumed later.
  bool is_full() const { return batch_.size() >= kBatchTasksMax || batch_bytes_ >= kBatchBytesMax; }
  void resume_later(session::SessionId id) { paused_.push_back(id); }

  // To all connections.
  void deliver(TickOut& tick);
  // Closes all connections: they begin again.
  void close_all();

 private:
  void flush();
  void flush_later();
  void deliver_chunks(TickOut& tick);
  void deliver_cursors(TickOut& tick);

  const std::shared_ptr<RoomThread> room_;
  std::shared_ptr<const canvas::Limits> limits_ = room_->limits();
  net::Loop& loop_;
  session::SlowWatch slow_watch_;
  const std::shared_ptr<LoopLink> link_;
  std::unordered_map<std::uint64_t, Connection*> connections_;  // by id
  std::map<canvas::ChunkArea, std::vector<Connection*>> watchers_;
  std::vector<RoomThread::Task> batch_;
  std::size_t batch_bytes_ = 0;
  bool is_flush_planned_ = false;
  std::vector<session::SessionId> paused_;
  // What posted tasks reach this through.
  const std::shared_ptr<LoopRoom*> self_ = std::make_shared<LoopRoom*>(this);
};

}  // namespace fanfare::canvasserver
