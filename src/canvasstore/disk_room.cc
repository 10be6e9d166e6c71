#include "canvasstore/disk_room.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "canvasstore/file_checks.h"
#include "net/thread.h"

namespace fanfare::canvasstore {

using canvasserver::LoggedTick;
using canvasserver::PastLog;
using canvasserver::StorageOptions;

namespace {

// The same until the machine starts again. Where it cannot be read, each start of the program counts as one.
std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (std::getline(file, id) && !id.empty()) return id;
  return "unknown-" + std::to_string(SystemRandom().next_u64());
}

std::size_t bytes_of(const LoggedTick& tick) {
  std::size_t bytes = sizeof tick;
  for (const auto& chunk : tick.chunks) bytes += sizeof chunk + chunk.pixels.size() * sizeof chunk.pixels[0];
  for (const auto& user : tick.users) bytes += sizeof user + user.id.size() + user.name.size();
  bytes += tick.taken_back.size() * sizeof tick.taken_back[0];
  return bytes + tick.events.size() * sizeof(canvas::ModerationEvent);
}

// Everything fails, for this reason.
class FailingPast final : public PastLog {
 public:
  explicit FailingPast(std::string_view problem) : problem_(problem) {}
  Result<Span> span() override { return problem(); }
  Result<std::vector<canvasserver::StoredChunk>> chunks_at(const canvas::Area&, std::int64_t, bool) override {
    return problem();
  }
  Result<std::vector<canvasserver::LogPixel>> drawn_at(std::uint32_t, std::uint32_t, std::size_t) override {
    return problem();
  }
  Result<void> visit(const canvas::Area&, std::int64_t, std::int64_t, std::optional<std::uint32_t>,
                     const Visit&) override {
    return problem();
  }
  Result<std::vector<canvasserver::LogTakenBack>> taken_back(canvas::ChunkId, std::uint64_t) override {
    return problem();
  }
  Result<std::uint64_t> tick_from(std::int64_t) override { return problem(); }
  Result<std::vector<canvasserver::LoggedUser>> users(const std::vector<std::uint32_t>&) override {
    return problem();
  }

 private:
  std::unexpected<std::string> problem() const { return std::unexpected(std::string(problem_)); }

  const std::string_view problem_;
};

// Names the file, and what to do about damage.
std::string refusal_of(const std::string& path, const store::Problem& problem) {
  std::string text = problem.message.contains(path) ? problem.message : joined({path, ": ", problem.message});
  if (problem.is_damage) text += "; restore a copy of it with its -wal and -mark, or move them away";
  return text;
}

}  // namespace

std::expected<std::unique_ptr<canvasserver::RoomStorage>, std::string> DiskRoom::open(
    const StorageOptions& options) {
  auto file = RoomFile::open({.path = resolved_path(options.path),
                              .spec = options.spec,
                              .session = options.full_sync ? "full" : "interval",
                              .history_bytes_max = options.history_bytes_max,
                              .new_epoch = options.new_epoch,
                              .boot_id = boot_id()});
  if (!file) return std::unexpected(refusal_of(options.path, file.error()));
  if (!(*file)->loss().empty()) {
    log::warn("canvas_epoch_changed", {{"path", options.path}, {"reason", (*file)->loss()}});
  }
  auto loaded = (*file)->load();
  if (!loaded) return std::unexpected(refusal_of(options.path, loaded.error()));
  OpenPast past;
  if (!options.path.empty()) {
    auto opened = open_past(resolved_path(options.path));
    if (!opened) return std::unexpected(refusal_of(options.path, opened.error()));
    past = *std::move(opened);
  }
  std::unique_ptr<DiskRoom> room(
      new DiskRoom(options, *std::move(file), std::move(past), *std::move(loaded)));
  auto writer = net::start_thread([room = room.get()] { room->run_writer(); });
  if (!writer) return std::unexpected(writer.error().message());
  room->writer_ = *std::move(writer);
  if (options.path.empty()) return room;
  auto reader = net::start_thread([room = room.get()] { room->run_reader(); });
  if (!reader) return std::unexpected(reader.error().message());
  room->reader_ = *std::move(reader);
  return room;
}

DiskRoom::DiskRoom(StorageOptions options, std::unique_ptr<RoomFile> file, OpenPast past,
                   canvasserver::StoredRoom loaded)
    : options_(std::move(options)),
      file_(std::move(file)),
      past_(std::move(past)),
      loaded_(std::move(loaded)),
      committed_(loaded_.last_tick) {
  note_past();
}

DiskRoom::~DiskRoom() {
  DiskRoom::close();
}

void DiskRoom::close() {
  if (file_ == nullptr) return;
  past_ends_.store(true, std::memory_order_relaxed);
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (writer_.joinable()) writer_.join();
  {
    const std::scoped_lock lock(mutex_);
    reader_stops_ = true;
    readable_.notify_all();
  }
  if (reader_.joinable()) reader_.join();
  // What could not be written is lost: then the next start finds it out by the mark.
  if (batch_.empty()) file_->close();
  past_ = {};
  file_.reset();
}

void DiskRoom::append(LoggedTick tick) {
  const std::size_t bytes = bytes_of(tick);
  unsaved_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  if (waiting_.empty()) waiting_since_ = system_clock().now();
  waiting_.push_back(std::move(tick));
  waiting_bytes_ += bytes;
  if (waiting_.size() == 1 || waiting_bytes_ >= kCommitBytesMax) changed_.notify_one();
}

void DiskRoom::mark_shown(std::uint64_t tick) {
  file_->mark_shown(tick, options_.full_sync && tick > committed());
}

void DiskRoom::on_progress(std::function<void()> notify) {
  const std::scoped_lock lock(mutex_);
  notify_ = std::move(notify);
}

bool DiskRoom::read_past(PastTask task, PastUse use, canvasserver::Abandonment abandonment) {
  const std::scoped_lock lock(mutex_);
  const bool is_picture = use == PastUse::picture;
  if (past_tasks_ >= kPastTasksMax || (is_picture && past_pictures_ >= kPastPicturesMax) || stopping_)
    return false;
  ++past_tasks_;
  if (is_picture) ++past_pictures_;
  asking_.push_back({.task = std::move(task), .use = use, .abandonment = std::move(abandonment)});
  changed_.notify_one();
  return true;
}

// With the lock held.
void DiskRoom::finish(PastUse use) {
  --past_tasks_;
  if (use == PastUse::picture) --past_pictures_;
}

canvasserver::StorageMetrics DiskRoom::metrics() const {
  return {.commits = commits_.load(std::memory_order_relaxed),
          .failures = failures_.load(std::memory_order_relaxed),
          .unsaved_bytes = unsaved_bytes_.load(std::memory_order_relaxed),
          .file_bytes = file_bytes_.load(std::memory_order_relaxed),
          .past_from_ms = past_from_ms_.load(std::memory_order_relaxed),
          .is_failing = is_failing()};
}

// With the lock held.
Instant DiskRoom::next_commit() const {
  if (!batch_.empty()) return retry_at_;
  if (waiting_.empty()) return Instant::max();
  if (options_.full_sync || waiting_bytes_ >= kCommitBytesMax) return Instant::min();
  return waiting_since_ + options_.sync_interval / 2;
}

void DiskRoom::run_writer() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const Instant next = next_commit();
    const bool reads = in_memory() && !reading_.empty();
    const bool is_due = next <= system_clock().now() || !asking_.empty() || stopping_ || reads;
    if (!is_due && !tidies_) {
      if (next == Instant::max()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, next);
      }
      continue;
    }
    const bool is_last = stopping_;
    std::vector<Asking> asking = std::exchange(asking_, {});
    if (is_due) {
      std::ranges::move(waiting_, std::back_inserter(batch_));
      waiting_.clear();
      waiting_bytes_ = 0;
    }
    lock.unlock();
    if (is_due) {
      commit();
      hand_over(std::move(asking));
    }
    // One at a time, so that a moderator's next request comes before the pictures that wait.
    while (in_memory() && read_next(file_->past()) && is_last) {
    }
    if (is_last) return;
    tidy();
    lock.lock();
  }
}

bool DiskRoom::commit() {
  if (batch_.empty()) return true;
  if (!file_->write(batch_)) {
    failures_.fetch_add(1, std::memory_order_relaxed);
    failed_.write({{"path", options_.path}, {"problem", file_->problem().message}});
    retry_at_ = system_clock().now() + kRetryInterval;
    set_failing(true);
    return false;
  }
  std::size_t bytes = 0;
  for (const LoggedTick& tick : batch_) bytes += bytes_of(tick);
  batch_.clear();
  commits_.fetch_add(1, std::memory_order_relaxed);
  unsaved_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  committed_.store(file_->last_tick(), std::memory_order_release);
  tidies_ = true;
  if (is_failing()) {
    log::info("canvas_storage_works", {{"path", options_.path}});
    set_failing(false);
  } else {
    notify();
  }
  return true;
}

// One piece of work between two commits. What fails here is tried again after the next commit.
void DiskRoom::tidy() {
  if (!tidies_) return;
  bool did = false;
  if (!file_->tidy(did)) {
    failures_.fetch_add(1, std::memory_order_relaxed);
    failed_.write({{"path", options_.path}, {"problem", file_->problem().message}});
    did = false;
  }
  tidies_ = did;
  note_past();
  if (!did) file_bytes_.store(file_->bytes(), std::memory_order_relaxed);
}

// Retention may have cut the past.
void DiskRoom::note_past() {
  const auto span = file_->past().span();
  if (span && !span->is_complete) past_from_ms_.store(span->first_ms, std::memory_order_relaxed);
}

void DiskRoom::set_failing(bool is_failing) {
  if (is_failing_.exchange(is_failing, std::memory_order_acq_rel) != is_failing || !is_failing) notify();
}

void DiskRoom::notify() {
  std::function<void()> notify;
  {
    const std::scoped_lock lock(mutex_);
    notify = notify_;
  }
  if (notify) notify();
}

void DiskRoom::run_past(Asking& asking, PastLog& past) const {
  const auto is_wanted = [this, &asking] {
    return !past_ends_.load(std::memory_order_relaxed) && !canvasserver::is_abandoned(asking.abandonment);
  };
  if (!is_wanted()) {
    FailingPast ended(canvasserver::kPastUnwanted);
    ended.set_wanted(is_wanted);
    return asking.task(ended);
  }
  // What the disk does not have would be missing.
  FailingPast incomplete("the disk is full or fails: the past is not complete");
  PastLog& log = asking.is_current ? past : incomplete;
  log.set_wanted(is_wanted);
  asking.task(log);
  log.set_wanted({});
}

void DiskRoom::hand_over(std::vector<Asking> tasks) {
  const std::scoped_lock lock(mutex_);
  for (Asking& asking : tasks) {
    asking.is_current = batch_.empty();
    const auto at = asking.use == PastUse::picture
                        ? reading_.end()
                        : std::ranges::find(reading_, PastUse::picture, &Asking::use);
    reading_.insert(at, std::move(asking));
    readable_.notify_one();
  }
}

// Runs the next task that reads the past. False: none was waiting.
bool DiskRoom::read_next(PastLog& past) {
  std::unique_lock lock(mutex_);
  if (reading_.empty()) return false;
  Asking next = std::move(reading_.front());
  reading_.pop_front();
  lock.unlock();
  run_past(next, past);
  next.task = {};
  lock.lock();
  finish(next.use);
  return true;
}

void DiskRoom::run_reader() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      readable_.wait(lock, [&] { return reader_stops_ || !reading_.empty(); });
    }
    if (!read_next(*past_.past)) return;
  }
}

}  // namespace fanfare::canvasstore
