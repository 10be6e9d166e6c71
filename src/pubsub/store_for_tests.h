#pragma once
// A store for the hub's tests, all on the test's thread: step() carries out the next thing that it was asked for. The
// disk outlives the store, as it does when a process is killed: what was not carried out is gone then.

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pubsub/event_store.h"

namespace fanfare::pubsub {

struct FakeDisk {
  struct Kept {
    Position last;
    std::deque<StoredEvent> events;
  };
  std::map<std::string, Kept> topics;
};

class FakeStore final : public EventStore {
 public:
  enum class Mode : std::uint8_t {
    works,
    fails,          // nothing is written
    fails_and_has,  // it is written all the same
  };

  explicit FakeStore(FakeDisk& its_disk) : disk(its_disk) {}

  // False: it had nothing to do.
  bool step() {
    if (tasks.empty()) return false;
    auto task = std::move(tasks.front());
    tasks.pop_front();
    task();
    return true;
  }
  void step_all() {
    while (step()) {
    }
  }

  std::expected<Opened, std::string> open(std::string_view name, const Wanted& wanted,
                                          Report report) override;
  StoreTimes times() const override { return store_times; }
  std::uint64_t bytes_max() const override { return file_bytes; }

  FakeDisk& disk;
  Mode mode = Mode::works;
  StoreTimes store_times;
  std::uint64_t file_bytes = UINT64_MAX;
  std::deque<UniqueFunction<void()>> tasks;
  std::set<std::string> names;
  int reads = 0;
};

class FakeTopic final : public TopicStore {
 public:
  FakeTopic(FakeStore& store, std::string name, HistoryLimits limits, EventStore::Report report)
      : store_(store), name_(std::move(name)), limits_(limits), report_(std::move(report)) {}

  void append(Position position, SharedBytes frame) override {
    store_.tasks.emplace_back([this, position, frame] { write(position, frame); });
  }
  void begin(std::uint64_t epoch) override {
    store_.tasks.emplace_back([this, epoch] {
      const Position start{.epoch = epoch, .offset = 0};
      if (store_.mode != FakeStore::Mode::fails) store_.disk.topics[name_] = {.last = start, .events = {}};
      works = store_.mode == FakeStore::Mode::works;
      report_({works ? StoreReport::Kind::begun : StoreReport::Kind::not_begun, start});
    });
  }
  void read(Position after, std::size_t bytes_max, Read done) override {
    ++store_.reads;
    store_.tasks.emplace_back([this, after, bytes_max, done = std::move(done)]() mutable {
      std::vector<StoredEvent> found;
      std::size_t bytes = 0;
      const FakeDisk::Kept& kept = store_.disk.topics[name_];
      for (const StoredEvent& event : kept.events) {
        if (!works || kept.last.epoch != after.epoch || store_.mode != FakeStore::Mode::works) break;
        if (event.position.offset <= after.offset) continue;
        bytes += event.frame.size();
        if (!found.empty() && bytes > bytes_max) break;
        found.push_back(event);
      }
      done(std::move(found));
    });
  }
  StoredRange range() const override {
    if (!works) return {};
    const FakeDisk::Kept& kept = store_.disk.topics[name_];
    return {.epoch = kept.last.epoch,
            .first_offset = kept.events.empty() ? kept.last.offset + 1 : kept.events.front().position.offset,
            .last_offset = kept.last.offset,
            .messages = kept.events.size()};
  }
  void erase() override {
    store_.names.erase(name_);
    store_.disk.topics.erase(name_);
    erased_ = true;
  }
  void close() override { store_.names.erase(name_); }

  bool works = true;

 private:
  void write(Position position, const SharedBytes& frame) {
    if (erased_) return report_({StoreReport::Kind::stored, position});
    FakeDisk::Kept& kept = store_.disk.topics[name_];
    works = works && position == Position{.epoch = kept.last.epoch, .offset = kept.last.offset + 1};
    if (works && store_.mode != FakeStore::Mode::fails) {
      kept.last = position;
      kept.events.push_back({.position = position, .frame = frame, .at = {}});
      while (kept.events.size() > limits_.messages_max) kept.events.pop_front();
    }
    works = works && store_.mode == FakeStore::Mode::works;
    report_({works ? StoreReport::Kind::stored : StoreReport::Kind::failed, position});
  }

  FakeStore& store_;
  const std::string name_;
  const HistoryLimits limits_;
  const EventStore::Report report_;
  bool erased_ = false;
};

inline std::expected<EventStore::Opened, std::string> FakeStore::open(std::string_view name,
                                                                      const Wanted& wanted, Report report) {
  if (!names.insert(std::string(name)).second) return std::unexpected("in use");
  auto topic = std::make_unique<FakeTopic>(*this, std::string(name), wanted.on_disk, std::move(report));
  Opened opened;
  opened.works = topic->works = mode == Mode::works;
  if (opened.works) {
    auto [found, is_new] = disk.topics.try_emplace(std::string(name));
    if (is_new) found->second.last = {.epoch = wanted.new_epoch, .offset = 0};
    opened.last = found->second.last;
    const auto& events = found->second.events;
    const std::size_t count = std::min(events.size(), wanted.in_memory.messages_max);
    opened.newest.assign(events.end() - static_cast<std::ptrdiff_t>(count), events.end());
  } else {
    opened.last = {.epoch = wanted.new_epoch, .offset = 0};
  }
  opened.topic = std::move(topic);
  return opened;
}

}  // namespace fanfare::pubsub
