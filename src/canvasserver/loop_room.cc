#include "canvasserver/loop_room.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "canvasserver/connection.h"

namespace fanfare::canvasserver {

namespace {

// When a room that has taken nothing is asked again.
constexpr Duration kRetryInterval = std::chrono::milliseconds(5);

std::uint64_t number_of(session::SessionId id) {
  return (std::uint64_t{id.slot} << 32U) | id.generation;
}

}  // namespace

LoopRoom::LoopRoom(std::shared_ptr<RoomThread> room, net::Loop& loop, Duration slow_timeout)
    : room_(std::move(room)),
      loop_(loop),
      slow_watch_(loop, slow_timeout),
      link_(std::make_shared<LoopLink>(loop, *this)) {}

LoopRoom::~LoopRoom() {
  link_->close();
  *self_ = nullptr;
  // What is still to be said, such as that users have left.
  for (RoomThread::Task& task : batch_) room_->post(std::move(task));
}

void LoopRoom::add(Connection& connection) {
  connections_.emplace(number_of(connection.id()), &connection);
}

void LoopRoom::remove(Connection& connection) {
  connections_.erase(number_of(connection.id()));
}

Connection* LoopRoom::find(session::SessionId id) const {
  const auto found = connections_.find(number_of(id));
  return found == connections_.end() ? nullptr : found->second;
}

void LoopRoom::set_area(Connection& connection, const std::optional<canvas::ChunkArea>& before,
                        const std::optional<canvas::ChunkArea>& after) {
  if (before == after) return;
  if (before) {
    const auto group = watchers_.find(*before);
    // The order does not matter.
    const auto place = std::ranges::find(group->second, &connection);
    *place = group->second.back();
    group->second.pop_back();
    if (group->second.empty()) watchers_.erase(group);
  }
  if (after) watchers_[*after].push_back(&connection);
}

void LoopRoom::request(RoomThread::Task task, std::size_t bytes) {
  batch_.push_back(std::move(task));
  batch_bytes_ += bytes;
  if (std::exchange(is_flush_planned_, true)) return;
  loop_.post([self = self_] {
    if (*self != nullptr) (*self)->flush();
  });
}

void LoopRoom::flush() {
  is_flush_planned_ = false;
  if (!batch_.empty() && !room_->post(batch_, batch_bytes_)) return flush_later();
  batch_.clear();
  batch_bytes_ = 0;
  for (const session::SessionId id : std::exchange(paused_, {})) {
    if (Connection* const connection = find(id)) connection->resume();
  }
}

void LoopRoom::flush_later() {
  is_flush_planned_ = true;
  loop_.call_after(kRetryInterval, [self = self_] {
    if (*self != nullptr) (*self)->flush();
  });
}

void LoopRoom::deliver(TickOut& tick) {
  const Instant start = system_clock().now();
  deliver_chunks(tick);
  if (!tick.presence.empty()) {
    for (const auto& [id, connection] : connections_) connection->send_presence(tick);
  }
  if (!tick.cursors.empty()) deliver_cursors(tick);
  link_->set_tick_cost(system_clock().now() - start);
}

void LoopRoom::close_all() {
  for (const auto& [id, connection] : connections_) connection->begin_again();
}

// Nothing here ends a connection at once, so the lists do not change.
void LoopRoom::deliver_chunks(TickOut& tick) {
  std::vector<std::uint16_t> sections;
  for (const auto& [area, connections] : watchers_) {
    sections.clear();
    for (std::size_t i = 0; i < tick.chunks().size(); ++i) {
      if (area.contains(tick.chunks()[i].chunk)) sections.push_back(static_cast<std::uint16_t>(i));
    }
    if (sections.empty()) continue;
    SharedBytes frame;  // for those that lack nothing
    for (Connection* const connection : connections) connection->send_tick(tick, sections, frame);
  }
}

void LoopRoom::deliver_cursors(TickOut& tick) {
  for (const auto& [area, connections] : watchers_) {
    const auto found = tick.cursors.find(area);
    if (found == tick.cursors.end()) continue;
    for (Connection* const connection : connections) connection->send_cursors(found->second);
  }
}

}  // namespace fanfare::canvasserver
