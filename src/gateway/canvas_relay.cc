#include "gateway/canvas_relay.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "relay/names.h"

namespace fanfare::gateway {
namespace {

NatsOptions options_for(NatsOptions options) {
  options.limits = {.messages_max = kSharedMessagesKept, .bytes_max = kSharedBytesKept};
  return options;
}

}  // namespace

struct CanvasRelay::Room {
  std::string log;
  std::string snapshots;
  std::string subject;

  std::mutex mutex;                                 // guards what follows; held during a callback
  canvasserver::SharedLogReader* reader = nullptr;  // null: it has stopped
  std::uint64_t log_opening = 0;
  std::uint64_t snapshots_opening = 0;  // 0: they are not read
  relay::Subscribed live{nullptr, [](void*) {}};

  // A subscription may have ended with its connection.
  void tell_up(relay::Link& link, bool is_up) {
    if (is_up) live = link.subscribe_to(subject);
    reader->on_up(is_up);
  }
};

class CanvasRelay::Log final : public canvasserver::SharedLog {
 public:
  Log(CanvasRelay& relay, std::shared_ptr<Room> room) : relay_(relay), room_(std::move(room)) {}
  ~Log() override { Log::stop(); }

  void start(canvasserver::SharedLogReader& reader) override {
    {
      // A change of is_up_ from now on waits until this has told it.
      const std::scoped_lock lock(room_->mutex);
      bool is_up = false;
      {
        const std::scoped_lock relay_lock(relay_.mutex_);
        for (const std::string& key : {room_->log, room_->snapshots, room_->subject})
          relay_.rooms_[key] = room_;
        is_up = relay_.is_up_;
      }
      room_->reader = &reader;
      room_->tell_up(relay_.relay_.link(), is_up);
    }
  }
  void stop() override {
    {
      const std::scoped_lock lock(room_->mutex);
      if (std::exchange(room_->reader, nullptr) == nullptr) return;
      room_->live.reset();
    }
    const std::scoped_lock lock(relay_.mutex_);
    for (const std::string& key : {room_->log, room_->snapshots, room_->subject}) relay_.rooms_.erase(key);
    relay_.relay_.close(room_->log, UINT64_MAX);
    relay_.relay_.close(room_->snapshots, UINT64_MAX);
  }
  void read(Position after) override {
    const std::uint64_t opening = relay_.next_opening();
    {
      const std::scoped_lock lock(room_->mutex);
      room_->log_opening = opening;
    }
    relay_.relay_.open(room_->log, {.after = after, .recent_max = SIZE_MAX, .opening = opening});
  }
  void read_snapshots() override {
    const std::uint64_t opening = relay_.next_opening();
    {
      const std::scoped_lock lock(room_->mutex);
      room_->snapshots_opening = opening;
    }
    relay_.relay_.open(room_->snapshots, {.after = {}, .recent_max = SIZE_MAX, .opening = opening});
  }
  bool append(SharedBytes entry, Done done) override { return publish(room_->log, entry, std::move(done)); }
  bool append_snapshot_part(SharedBytes part, Done done) override {
    return publish(room_->snapshots, part, std::move(done));
  }
  void tell(SharedBytes message) override {
    relay::Link& link = relay_.relay_.link();
    if (link.is_connected()) link.publish(room_->subject, {}, message.view(), {});
  }

 private:
  bool publish(const std::string& topic, const SharedBytes& bytes, Done done) {
    return relay_.relay_.publish(
        topic, bytes,
        [done = std::move(done)](std::optional<Position> position) mutable { done(position.has_value()); },
        std::nullopt);
  }

  CanvasRelay& relay_;
  const std::shared_ptr<Room> room_;
};

CanvasRelay::CanvasRelay(NatsOptions options) : name_(options.name), relay_(options_for(std::move(options))) {
  relay_.on_plain = [this](const relay::Incoming& message) { on_plain(message); };
  relay_.start(*this);
}

CanvasRelay::~CanvasRelay() {
  relay_.stop();
}

std::unique_ptr<canvasserver::SharedLog> CanvasRelay::open(const std::string& name) {
  const std::string topic = joined({"canvas:", name});
  const auto token = relay::token_of(topic);
  FANFARE_CHECK(token);  // a room's name is short
  auto room = std::make_shared<Room>();
  room->log = joined({topic, ":log"});
  room->snapshots = joined({topic, ":snapshots"});
  room->subject = joined({name_, "_live.", *token});
  return std::make_unique<Log>(*this, std::move(room));
}

std::uint64_t CanvasRelay::next_opening() {
  const std::scoped_lock lock(mutex_);
  return ++last_opening_;
}

std::shared_ptr<CanvasRelay::Room> CanvasRelay::room_of(std::string_view topic) const {
  const std::scoped_lock lock(mutex_);
  const auto found = rooms_.find(topic);
  return found == rooms_.end() ? nullptr : found->second;
}

bool CanvasRelay::on_message(std::string_view topic, Position position, SharedBytes payload) {
  const auto room = room_of(topic);
  if (room == nullptr) return true;
  const std::scoped_lock lock(room->mutex);
  if (room->reader == nullptr) return true;
  if (topic == room->log) return room->reader->on_entry(position, std::move(payload));
  return room->snapshots_opening == 0 || room->reader->on_snapshot_part(std::move(payload));
}

// A place without a change of the room: an entry that nobody can read.
bool CanvasRelay::on_foreign(std::string_view topic, Position position) {
  const auto room = room_of(topic);
  if (room == nullptr || topic != room->log) return true;
  return on_message(topic, position, {});
}

// What is gone of the snapshots is not wanted.
void CanvasRelay::on_lost(std::string_view topic, Position until) {
  const auto room = room_of(topic);
  if (room == nullptr || topic != room->log) return;
  const std::scoped_lock lock(room->mutex);
  if (room->reader != nullptr) room->reader->on_lost(until);
}

void CanvasRelay::on_current(std::string_view topic, std::uint64_t opening) {
  const auto room = room_of(topic);
  if (room == nullptr) return;
  const std::scoped_lock lock(room->mutex);
  if (room->reader == nullptr) return;
  if (topic == room->log) {
    if (opening == room->log_opening) room->reader->on_current();
    return;
  }
  if (opening != room->snapshots_opening) return;
  room->snapshots_opening = 0;
  relay_.close(topic, opening);
  room->reader->on_snapshots_read();
}

void CanvasRelay::set_up(bool is_up) {
  std::vector<std::shared_ptr<Room>> rooms;
  {
    const std::scoped_lock lock(mutex_);
    is_up_ = is_up;
    for (const auto& [key, room] : rooms_) {
      if (key == room->log) rooms.push_back(room);
    }
  }
  for (const auto& room : rooms) {
    const std::scoped_lock lock(room->mutex);
    if (room->reader != nullptr) room->tell_up(relay_.link(), is_up);
  }
}

void CanvasRelay::on_plain(const relay::Incoming& message) {
  const auto room = room_of(message.subject);
  if (room == nullptr) return;
  const std::scoped_lock lock(room->mutex);
  if (room->reader != nullptr) room->reader->on_told(message.payload);
}

}  // namespace fanfare::gateway
