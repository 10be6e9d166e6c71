#include "canvasserver/room_thread.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "canvas/wire.h"
#include "canvasserver/loop_room.h"
#include "net/thread.h"

namespace fanfare::canvasserver {

using canvas::Tick;

namespace {

// So long after the last change presence and cursors are looked at with each tick.
constexpr Duration kQuiet = std::chrono::milliseconds(500);

std::atomic<std::uint64_t> next_number = 1;

std::int64_t milliseconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

std::expected<std::unique_ptr<RoomThread>, std::string> RoomThread::start(Options options) {
  StoredRoom stored{.epoch = options.new_epoch};
  if (options.storage != nullptr) stored = options.storage->take_loaded();
  std::unique_ptr<RoomThread> made(new RoomThread(std::move(options), stored));
  if (auto problem = made->load(stored)) return std::unexpected(*std::move(problem));
  auto thread = net::start_thread([room = made.get()] { room->run(); });
  if (!thread) return std::unexpected(thread.error().message());
  made->thread_ = *std::move(thread);
  if (made->shared_ != nullptr) made->post([](RoomThread& there) { there.shared_->start(); });
  return made;
}

RoomThread::RoomThread(Options options, const StoredRoom& stored)
    : number_(next_number.fetch_add(1, std::memory_order_relaxed)),
      spec_(options.spec),
      proof_(options.proof),
      room_(std::make_unique<canvas::Room>(canvas::RoomOptions{.spec = options.spec,
                                                               .limits = options.limits,
                                                               .epoch = stored.epoch,
                                                               .first_user = stored.last_user + 1,
                                                               .last_tick = stored.last_tick,
                                                               .pixels = stored.pixels_total,
                                                               .proof = options.proof})),
      epoch_(stored.epoch),
      storage_(std::move(options.storage)),
      pacer_(options.limits.tick_min, options.limits.tick_max),
      appended_(stored.last_tick),
      log_clock_(stored.last_tick_ms),
      limits_(std::make_shared<const canvas::Limits>(options.limits)) {
  metrics_.first_ms = stored.first_ms;
  metrics_.last_ms = stored.last_ms;
  metrics_.pixels = stored.pixels_total;
  metrics_.tick_interval_us = static_cast<std::uint64_t>(options.limits.tick_min.count() / 1000);
  if (options.shared_log != nullptr)
    shared_ = std::make_unique<SharedRoom>(std::move(options.shared_log), options.instance, host());
  if (storage_ == nullptr) return;
  storage_->on_progress([this] {
    const std::scoped_lock lock(mutex_);
    has_progress_ = true;
    changed_.notify_one();
  });
}

RoomThread::~RoomThread() {
  end();
}

void RoomThread::end() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  if (shared_ != nullptr) shared_->stop();
  has_ended_.store(true, std::memory_order_release);
  // Its threads post to this one.
  if (storage_ != nullptr) storage_->close();
}

std::shared_ptr<const canvas::Limits> RoomThread::limits() const {
  const std::scoped_lock lock(mutex_);
  return limits_;
}

void RoomThread::set_limits(const canvas::Limits& limits) {
  {
    const std::scoped_lock lock(mutex_);
    limits_ = std::make_shared<const canvas::Limits>(limits);
  }
  post([limits](RoomThread& there) {
    there.room_->set_limits(there.shared_ == nullptr ? limits : canvas::shared_limits(limits));
    there.pacer_ = canvas::Pacer(limits.tick_min, limits.tick_max);
  });
}

std::optional<std::string> RoomThread::load(const StoredRoom& stored) {
  canvas::ByteVector colours;
  std::vector<canvas::UserNumber> authors;
  for (const StoredChunk& chunk : stored.chunks) {
    const auto damage = [&chunk] {
      return joined({"the stored chunk ", std::to_string(chunk.chunk.x), ", ", std::to_string(chunk.chunk.y),
                     " does not fit this canvas: restore a copy of the file, or move it away"});
    };
    if (!canvas::has_chunk(spec_, chunk.chunk)) return damage();
    colours.clear();
    authors.clear();
    canvas::WireWriter writer(colours);
    for (std::uint32_t y = 0; y < canvas::rows_of(spec_, chunk.chunk); ++y) {
      for (std::uint32_t x = 0; x < canvas::columns_of(spec_, chunk.chunk); ++x) {
        const std::size_t index = (std::size_t{y} * canvas::kChunkSide) + x;
        writer.colour(chunk.pixels.colours[index], spec_.bytes_per_colour());
        authors.push_back(chunk.pixels.users[index]);
      }
    }
    if (!room_->load(chunk.chunk, chunk.version, colours, authors)) return damage();
  }
  metrics_.chunks = room_->board().chunk_count();
  const std::int64_t now_ms = now().wall_ms;
  for (const canvas::ModerationEvent& ban : stored.bans) room_->ban_again(ban, now_ms);
  return std::nullopt;
}

canvas::Now RoomThread::now() {
  return {.instant = system_clock().now(), .wall_ms = milliseconds_of(system_clock().wall_now())};
}

bool RoomThread::post(std::vector<Task>& tasks, std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  const bool is_full = inbox_.size() >= kInboxTasksMax || inbox_bytes_ >= kInboxBytesMax;
  if (is_full && !stopping_) return false;
  inbox_bytes_ += bytes;
  if (!stopping_) std::ranges::move(tasks, std::back_inserter(inbox_));
  tasks.clear();
  changed_.notify_one();
  return true;
}

bool RoomThread::post(Task task) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return false;
  inbox_.push_back(std::move(task));
  changed_.notify_one();
  return true;
}

void RoomThread::run() {
  for (;;) {
    std::vector<Task> tasks;
    bool is_last = false;
    {
      std::unique_lock lock(mutex_);
      const auto has_work = [&] { return stopping_ || has_progress_ || !inbox_.empty(); };
      const Instant next = shared_ == nullptr ? next_tick() : std::min(next_tick(), shared_->due());
      if (next == Instant::max()) {
        changed_.wait(lock, has_work);
      } else {
        changed_.wait_until(lock, next, has_work);
      }
      tasks = std::exchange(inbox_, {});
      inbox_bytes_ = 0;
      has_progress_ = false;
      is_last = stopping_;
    }
    if (storage_ != nullptr && shared_ == nullptr) room_->set_storage(storage_->accepts());
    for (Task& task : tasks) task(*this);
    tasks.clear();
    if (is_last || next_tick() <= system_clock().now()) tick();
    begin_next_restoration();
    if (shared_ != nullptr) shared_->poll(system_clock().now(), now().wall_ms);
    flush();
    if (is_last) return;
  }
}

bool RoomThread::begin_restoration(Task begin) {
  if (restorations_.size() >= kRestorationsMax) return false;
  restorations_.push_back(std::move(begin));
  begin_next_restoration();
  return true;
}

void RoomThread::begin_next_restoration() {
  for (;;) {
    // Then the storage has what the one before has changed.
    if (restoration_ended_ && !room_->has_changes()) is_restoring_ = restoration_ended_ = false;
    if (is_restoring_ || restorations_.empty()) return;
    is_restoring_ = true;
    Task begin = std::move(restorations_.front());
    restorations_.pop_front();
    begin(*this);
  }
}

bool RoomThread::is_busy() const {
  const Instant now = system_clock().now();
  const bool has_moves = cursors_at_ != Instant::min() && now - cursors_at_ < kQuiet;
  const bool has_changes = shared_ == nullptr ? room_->has_changes() : shared_->has_entries();
  return has_changes || has_moves || room_->presence().has_news() || !open_acks_.empty();
}

// A loop that is behind makes the tick longer; one that stands still stops it.
Instant RoomThread::next_tick() const {
  if (!is_busy()) return Instant::max();
  const canvas::Limits& limits = room_->limits();
  std::uint32_t waiting = 0;
  for (const auto& [link, connections] : links_) waiting = std::max(waiting, link->waiting());
  if (waiting >= kLoopBatchesMax)
    return std::max(tick_at_ + limits.tick_max, system_clock().now() + limits.tick_min);
  return tick_at_ + (waiting >= kLoopBatchesHigh ? limits.tick_max : pacer_.interval());
}

void RoomThread::tick() {
  const Instant start = system_clock().now();
  tick_at_ = start;
  Tick tick = shared_ == nullptr ? finish_tick() : shared_->advance(start);
  const auto out = std::make_shared<TickOut>(spec_, std::move(tick));
  add_presence_and_cursors(*out, start);
  if (!out->is_empty()) {
    for (const auto& [link, connections] : links_) {
      if (connections > 0) add_to(out_, link, [out](LoopRoom& room) { room.deliver(*out); });
    }
  }
  if (!open_acks_.empty()) {
    held_acks_.push_back({.tick = appended_, .batch = std::exchange(open_acks_, {})});
  }
  flush();
  Duration cost = system_clock().now() - start;
  metrics_.tick_cost_us.store(static_cast<std::uint64_t>(cost.count() / 1000), std::memory_order_relaxed);
  for (const auto& [link, connections] : links_) cost = std::max(cost, link->tick_cost());
  pacer_.add(cost);
  publish_metrics();
}

Tick RoomThread::finish_tick() {
  Tick tick = room_->finish_tick();
  if (tick.is_empty()) return tick;
  log_clock_.tick(now().wall_ms, [&](std::int64_t time_ms) { log(tick, time_ms); });
  metrics_.ticks.fetch_add(1, std::memory_order_relaxed);
  return tick;
}

void RoomThread::add_presence_and_cursors(TickOut& out, Instant now) {
  if (shared_ != nullptr) tell_cursors(now);
  if (auto delta = room_->presence().take_delta(now)) out.presence = PresenceOut(*std::move(delta));
  if (!room_->cursors().start_round(now)) return;
  for (const auto& [area, watchers] : cursor_areas_) {
    std::vector<canvas::CursorMove> moves = room_->cursors().moves_in(area);
    if (moves.empty()) continue;
    canvas::ByteVector bytes;
    canvas::append_cursors(bytes, moves);
    out.cursors.emplace(area, TickOut::AreaCursors{.moves = std::move(moves), .frame = binary_frame(bytes)});
  }
}

void RoomThread::log(const Tick& tick, std::int64_t time_ms) {
  if (!tick.chunks.empty()) {
    if (metrics_.first_ms == 0) metrics_.first_ms = time_ms;
    metrics_.last_ms = time_ms;
  }
  if (storage_ == nullptr) return;
  LoggedTick logged{.tick = tick.number,
                    .time_ms = time_ms,
                    .chunks = {},
                    .events = tick.events,
                    .users = {},
                    .taken_back = tick.taken_back};
  for (const canvas::ChunkTick& chunk : tick.chunks) {
    logged.chunks.push_back({.chunk = chunk.chunk, .version = chunk.version, .pixels = chunk.pixels});
    for (const canvas::TickPixel& pixel : chunk.pixels) log_user(pixel.user, logged.users);
  }
  appended_ = tick.number;
  storage_->append(std::move(logged));
}

void RoomThread::log_user(canvas::UserNumber number, std::vector<LoggedUser>& out) {
  if (number == 0 || !logged_users_.insert(number).second) return;
  const canvas::User* const user = room_->find(number);
  out.push_back(
      {.number = number, .id = canvas::user_id_of(number), .name = user == nullptr ? "" : user->name});
}

void RoomThread::join(const std::shared_ptr<Member>& member, const canvas::JoinRequest& request,
                      Task joined) {
  if (shared_ != nullptr) return join_shared(member, request, std::move(joined));
  if (const canvas::User* const user = room_->join(request)) {
    member->user = user->number;
    ++links_[member->link];
  }
  joined(*this);
}

void RoomThread::leave(Member& member) {
  member.has_left = true;
  if (member.shared_user != 0) shared_->leave(std::exchange(member.shared_user, 0));
  if (member.user == 0) return;
  watch_cursors(member, std::nullopt);
  move_cursor(member, std::nullopt);
  const canvas::UserNumber user = std::exchange(member.user, 0);
  if (shared_ == nullptr) room_->leave(user);
  const auto link = links_.find(member.link);
  if (link != links_.end() && --link->second == 0) links_.erase(link);
  note_cursor();
}

void RoomThread::watch_cursors(Member& member, const std::optional<canvas::ChunkArea>& area) {
  if (member.cursors_in) {
    const auto before = cursor_areas_.find(*member.cursors_in);
    if (--before->second == 0) cursor_areas_.erase(before);
  }
  member.cursors_in = area;
  if (area) ++cursor_areas_[*area];
}

void RoomThread::move_cursor(const Member& member,
                             const std::optional<canvas::CursorMessage::Position>& position) {
  if (member.user == 0) return;
  if (position) {
    cursor_owners_[member.user] = &member;
    room_->cursors().move(member.user, position->x, position->y);
  } else {
    const auto owner = cursor_owners_.find(member.user);
    if (owner == cursor_owners_.end() || owner->second != &member) return;
    cursor_owners_.erase(owner);
    room_->cursors().remove(member.user);
  }
  if (shared_ != nullptr) untold_cursors_[member.user] = position;
  note_cursor();
}

void RoomThread::acknowledge(const Member& member, LoopTask task) {
  add_to(open_acks_, member.link, std::move(task));
}

void RoomThread::add_to(Batch& batch, const std::shared_ptr<LoopLink>& link, LoopTask task) {
  const auto found = std::ranges::find(batch, link, &Batch::value_type::first);
  if (found != batch.end()) return found->second.push_back(std::move(task));
  auto& tasks = batch.emplace_back(link, std::vector<LoopTask>()).second;
  tasks.push_back(std::move(task));
}

void RoomThread::flush() {
  if (!out_.empty()) held_.push_back({.tick = appended_, .batch = std::exchange(out_, {})});
  const bool waits = storage_ != nullptr && storage_->is_full_sync();
  const std::uint64_t committed = storage_ == nullptr ? appended_ : storage_->committed();
  const bool is_failing = storage_ != nullptr && storage_->is_failing();
  const auto post = [](Batch& batch) {
    for (auto& [link, tasks] : batch) link->post(std::move(tasks));
  };
  while (!held_.empty() && (!waits || is_failing || held_.front().tick <= committed)) {
    const std::uint64_t tick = held_.front().tick;
    if (storage_ != nullptr && tick > marked_) storage_->mark_shown(marked_ = tick);
    post(held_.front().batch);
    held_.pop_front();
  }
  while (!held_acks_.empty() && (!waits || held_acks_.front().tick <= committed)) {
    post(held_acks_.front().batch);
    held_acks_.pop_front();
  }
}

void RoomThread::publish_metrics() {
  const auto set = [](std::atomic<std::uint64_t>& to, std::uint64_t value) {
    to.store(value, std::memory_order_relaxed);
  };
  set(metrics_.users, room_->presence().count());
  set(metrics_.pixels, room_->pixels_total());
  set(metrics_.chunks, room_->board().chunk_count());
  set(metrics_.cursors, room_->cursors().count());
  set(metrics_.snapshots, room_->catch_up().compressed_count());
  set(metrics_.tick_interval_us, static_cast<std::uint64_t>(pacer_.interval().count() / 1000));
}

}  // namespace fanfare::canvasserver
