#include "store/writer.h"

#include <algorithm>

#include "base/guard.h"
#include "base/log.h"

namespace fanfare::store {
namespace {

using pubsub::StoreReport;

constexpr Duration kAgeInterval = std::chrono::seconds(1);
constexpr std::size_t kReadEventsMax = 1000;

std::int64_t milliseconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

std::expected<std::unique_ptr<EventFile>, Problem> Writer::open_file(const FileSettings& settings,
                                                                     Clock& clock) {
  auto file = EventFile::open(settings);
  if (!file && file.error().is_damage) {
    const std::string aside = EventFile::move_aside(settings.path, milliseconds_of(clock.wall_now()));
    log::error("store_damaged",
               {{"path", settings.path}, {"problem", file.error().message}, {"moved_to", aside}});
    if (aside.empty()) return file;
    file = EventFile::open(settings);
  }
  if (file && !(*file)->loss().empty()) {
    log::error("store_positions_dropped", {{"path", settings.path}, {"reason", (*file)->loss()}});
  }
  return file;
}

std::expected<std::unique_ptr<Writer>, Problem> Writer::make(FileSettings settings, Duration sync_interval,
                                                             Clock& clock) {
  auto file = open_file(settings, clock);
  if (!file) return std::unexpected(std::move(file.error()));
  std::unique_ptr<Writer> made(new Writer(std::move(settings), sync_interval, clock));
  made->file_ = *std::move(file);
  return made;
}

std::int64_t Writer::now_ms() {
  return milliseconds_of(clock_.wall_now());
}

void Writer::run(std::vector<Task> tasks) {
  for (Task& task : tasks) {
    if (auto* const append = std::get_if<AppendTask>(&task)) {
      this->append(*append);
      continue;
    }
    if (std::holds_alternative<ReadTask>(task)) continue;
    commit();
    if (auto* const begin = std::get_if<BeginTask>(&task)) this->begin(*begin);
    if (auto* const erase = std::get_if<EraseTask>(&task)) this->erase(*erase);
    if (auto* const open = std::get_if<OpenTask>(&task)) this->open(*open);
    if (auto* const close = std::get_if<CloseTask>(&task)) {
      if (!close->topic->is_erased) topics_.erase(close->topic->name);
      send_reports();
      close->done.set_value();
    }
  }
  commit();
  // After the commit: a reader sees nothing that may be rolled back.
  for (Task& task : tasks) {
    if (auto* const read = std::get_if<ReadTask>(&task)) this->read(*read);
  }
  tasks.clear();
}

void Writer::append(AppendTask& task) {
  DiskTopic& topic = *task.topic;
  if (topic.is_erased) {
    reports_.emplace_back(task.topic, StoreReport{StoreReport::Kind::stored, task.position});
    return;
  }
  const auto found = changes_.find(task.topic);
  const Position last = found == changes_.end() ? topic.row.last : found->second.last;
  const bool follows = task.position == Position{.epoch = last.epoch, .offset = last.offset + 1};
  if (!topic.works || !follows) {
    topic.works = false;
    topic.set_range({});
    reports_.emplace_back(task.topic, StoreReport{StoreReport::Kind::failed, task.position});
    return;
  }
  if (changes_.empty() && !file_->begin()) {
    changes_.try_emplace(task.topic, Change{.last = task.position, .totals = topic.totals});
    return give_up_changes();
  }
  Change& change =
      changes_.try_emplace(task.topic, Change{.last = last, .totals = topic.totals}).first->second;
  change.last = task.position;
  if (!file_->append(topic.row, task.position, task.time_ms, task.frame.view())) return give_up_changes();
  if (change.totals.messages++ == 0) {
    change.totals.first_offset = task.position.offset;
    change.totals.first_time_ms = task.time_ms;
  }
  change.totals.bytes += task.frame.size();
  ++change.events;
  change_bytes_ += task.frame.size();
  if (++change_events_ >= kCommitEventsMax || change_bytes_ >= kCommitBytesMax) commit();
}

bool Writer::write_changes() {
  for (auto& [topic, change] : changes_) {
    if (!file_->set_last(topic->row, topic->name, change.last)) return false;
    if (!trim(*topic, topic->row, change.totals)) return false;
  }
  return file_->commit();
}

void Writer::commit() {
  if (!changes_.empty()) {
    if (!write_changes()) return give_up_changes();
    commits.fetch_add(1, std::memory_order_relaxed);
    for (auto& [topic, change] : changes_) {
      topic->row.last = change.last;
      topic->totals = change.totals;
      publish_range(*topic);
      stored.fetch_add(change.events, std::memory_order_relaxed);
      reports_.emplace_back(topic, StoreReport{StoreReport::Kind::stored, change.last});
      if (topic->limits.age_max.count() > 0) age_at_ = std::min(age_at_, clock_.now() + kAgeInterval);
    }
    changes_.clear();
    change_events_ = change_bytes_ = 0;
    if (!is_dirty_) sync_at_ = clock_.now() + sync_interval_;
    is_dirty_ = true;
  }
  send_reports();
}

void Writer::give_up_changes() {
  const Problem problem = file_->problem();
  file_->rollback();
  for (auto& [topic, change] : changes_) {
    topic->works = false;
    topic->set_range({});
    reports_.emplace_back(topic, StoreReport{StoreReport::Kind::failed, change.last});
  }
  changes_.clear();
  change_events_ = change_bytes_ = 0;
  note_failure(problem);
  send_reports();
}

void Writer::note_failure(const Problem& problem) {
  failures.fetch_add(1, std::memory_order_relaxed);
  failed_.write({{"path", settings_.path}, {"problem", problem.message}});
  if (problem.is_damage) give_up_file();
}

void Writer::give_up_file() {
  for (auto& [name, topic] : topics_) {
    if (!topic->works) continue;
    topic->works = false;
    topic->set_range({});
    reports_.emplace_back(topic, StoreReport{StoreReport::Kind::failed, topic->row.last});
  }
  file_.reset();
}

void Writer::begin(BeginTask& task) {
  DiskTopic& topic = *task.topic;
  const Position start{.epoch = task.epoch, .offset = 0};
  if (topic.is_erased)
    return reports_.emplace_back(task.topic, StoreReport{StoreReport::Kind::begun, start}), void();
  if (file_ == nullptr) {
    auto file = open_file(settings_, clock_);
    if (file) {
      file_ = *std::move(file);
    } else {
      failed_.write({{"path", settings_.path}, {"problem", file.error().message}});
    }
  }
  if (file_ != nullptr && file_->begin()) {
    const auto row = file_->make_topic(topic.name, task.epoch);
    if (row && file_->commit()) {
      topic.row = *row;
      topic.totals = {};
      topic.works = true;
      publish_range(topic);
      reports_.emplace_back(task.topic, StoreReport{StoreReport::Kind::begun, start});
      return;
    }
  }
  if (file_ != nullptr) {
    const Problem problem = file_->problem();
    file_->rollback();
    note_failure(problem);
  }
  reports_.emplace_back(task.topic, StoreReport{StoreReport::Kind::not_begun, start});
}

void Writer::erase(EraseTask& task) {
  DiskTopic& topic = *task.topic;
  topic.is_erased = true;
  topic.set_range({});
  topics_.erase(topic.name);
  if (!topic.works || file_ == nullptr) return;
  if (file_->begin() && file_->drop_topic(topic.row) && file_->commit()) return;
  const Problem problem = file_->problem();
  file_->rollback();
  note_failure(problem);
}

void Writer::open(OpenTask& task) {
  task.done.set_value(open_topic(task));
}

OpenResult Writer::open_topic(OpenTask& task) {
  DiskTopic& topic = *task.topic;
  if (topics_.contains(topic.name)) {
    return std::unexpected("topic '" + topic.name + "' of this store is in use");
  }
  topics_.emplace(topic.name, task.topic);
  pubsub::EventStore::Opened opened;
  topic.works = true;
  if (file_ != nullptr && load(task, opened)) {
    opened.last = topic.row.last;
    publish_range(topic);
    if (topic.limits.age_max.count() > 0) age_at_ = std::min(age_at_, clock_.now() + kAgeInterval);
    return opened;
  }
  topic.works = false;
  if (file_ != nullptr) {
    const Problem problem = file_->problem();
    file_->rollback();
    note_failure(problem);
  }
  opened.newest.clear();
  opened.last = {.epoch = task.new_epoch, .offset = 0};
  opened.works = false;
  return opened;
}

bool Writer::load(OpenTask& task, pubsub::EventStore::Opened& opened) {
  DiskTopic& topic = *task.topic;
  const auto found = file_->find_topic(topic.name);
  if (!found) return false;
  if (!*found) {
    if (!file_->begin()) return false;
    const auto made = file_->make_topic(topic.name, task.new_epoch);
    if (!made || !file_->commit()) return false;
    topic.row = *made;
    topic.totals = {};
    return true;
  }
  topic.row = **found;
  const auto totals = file_->totals(topic.row);
  if (!totals) return false;
  topic.totals = *totals;
  if (!file_->begin() || !trim(topic, topic.row, topic.totals) || !file_->commit()) return false;
  const auto before = file_->before_newest(topic.row, task.in_memory, now_ms());
  if (!before) return false;
  const auto rows = file_->read(topic.row, *before, task.in_memory.messages_max, task.in_memory.bytes_max);
  if (!rows) return false;
  const Instant now = clock_.now();
  for (const StoredRow& row : *rows) {
    const auto age = std::chrono::milliseconds(std::max<std::int64_t>(0, now_ms() - row.time_ms));
    opened.newest.push_back({.position = {.epoch = topic.row.last.epoch, .offset = row.offset},
                             .frame = row.frame,
                             .at = saturating_add(now, -saturating_duration(age))});
  }
  return true;
}

void Writer::read(ReadTask& task) {
  const DiskTopic& topic = *task.topic;
  std::vector<pubsub::StoredEvent> events;
  const bool can_read = topic.works && !topic.is_erased && task.after.epoch == topic.row.last.epoch;
  if (can_read) {
    const auto rows = file_->read(topic.row, task.after.offset, kReadEventsMax, task.bytes_max);
    if (!rows) {
      note_failure(rows.error());
      send_reports();
    } else {
      for (const StoredRow& row : *rows) {
        events.push_back(
            {.position = {.epoch = task.after.epoch, .offset = row.offset}, .frame = row.frame, .at = {}});
      }
    }
  }
  task.done(std::move(events));
}

bool Writer::trim(DiskTopic& topic, const StoredTopic& row, StoredTotals& totals) {
  if (totals.messages == 0) return true;
  const HistoryLimits& limits = topic.limits;
  const bool is_old = limits.age_max.count() > 0 && now_ms() - totals.first_time_ms > limits.age_max.count();
  if (totals.messages <= limits.messages_max && totals.bytes <= limits.bytes_max && !is_old) return true;
  const auto cut = file_->find_cut(row, totals, limits, now_ms());
  if (!cut) return false;
  if (cut->until_offset == 0) return true;
  if (!file_->drop_events(row, cut->until_offset)) return false;
  totals.first_offset = cut->until_offset + 1;
  totals.first_time_ms = cut->next_time_ms;
  totals.messages -= cut->messages;
  totals.bytes -= cut->bytes;
  return true;
}

void Writer::publish_range(DiskTopic& topic) const {
  const std::uint64_t last = topic.row.last.offset;
  topic.set_range({.epoch = topic.row.last.epoch,
                   .first_offset = topic.totals.messages == 0 ? last + 1 : topic.totals.first_offset,
                   .last_offset = last,
                   .messages = topic.totals.messages,
                   .bytes = topic.totals.bytes});
}

Instant Writer::tick() {
  const Instant now = clock_.now();
  const bool syncs = settings_.sync == StoreSync::interval;
  if (syncs && is_dirty_ && now >= sync_at_) {
    is_dirty_ = false;
    if (file_ != nullptr && !file_->sync()) note_failure(file_->problem());
  }
  if (now >= age_at_) drop_aged();
  return std::min(syncs && is_dirty_ ? sync_at_ : Instant::max(), age_at_);
}

void Writer::drop_aged() {
  age_at_ = Instant::max();
  for (auto& [name, topic] : topics_) {
    if (topic->limits.age_max.count() == 0 || !topic->works || topic->totals.messages == 0) continue;
    age_at_ = clock_.now() + kAgeInterval;
    if (now_ms() - topic->totals.first_time_ms <= topic->limits.age_max.count()) continue;
    StoredTotals totals = topic->totals;
    if (file_->begin() && trim(*topic, topic->row, totals) && file_->commit()) {
      topic->totals = totals;
      publish_range(*topic);
      continue;
    }
    const Problem problem = file_->problem();
    file_->rollback();
    topic->works = false;
    topic->set_range({});
    reports_.emplace_back(topic, StoreReport{StoreReport::Kind::failed, topic->row.last});
    note_failure(problem);
    break;
  }
  send_reports();
}

void Writer::send_reports() {
  for (const auto& [topic, report] : std::exchange(reports_, {})) topic->report(report);
}

void Writer::close() {
  if (file_ != nullptr && !file_->close()) note_failure(file_->problem());
  file_.reset();
}

}  // namespace fanfare::store
