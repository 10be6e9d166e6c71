#include "store/disk_store.h"

#include <utility>

namespace fanfare::store {
namespace {

class OpenTopic final : public pubsub::TopicStore {
 public:
  OpenTopic(TopicPtr topic, std::shared_ptr<TaskQueue> queue, Clock& clock)
      : topic_(std::move(topic)), queue_(std::move(queue)), clock_(clock) {}
  ~OpenTopic() override {
    if (!is_closed_) queue_->push(CloseTask{.topic = topic_, .done = {}});
  }

  void append(Position position, SharedBytes frame) override {
    const auto since = clock_.wall_now().time_since_epoch();
    queue_->push(AppendTask{.topic = topic_,
                            .position = position,
                            .frame = std::move(frame),
                            .time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count()});
  }
  void begin(std::uint64_t epoch) override { queue_->push(BeginTask{.topic = topic_, .epoch = epoch}); }
  void read(Position after, std::size_t bytes_max, Read done) override {
    queue_->push(ReadTask{.topic = topic_, .after = after, .bytes_max = bytes_max, .done = std::move(done)});
  }
  pubsub::StoredRange range() const override { return topic_->range(); }
  void erase() override { queue_->push(EraseTask{.topic = topic_}); }
  void close() override {
    if (std::exchange(is_closed_, true)) return;
    CloseTask task{.topic = topic_, .done = {}};
    auto done = task.done.get_future();
    if (queue_->push(std::move(task))) done.wait();
  }

 private:
  const TopicPtr topic_;
  const std::shared_ptr<TaskQueue> queue_;
  Clock& clock_;
  bool is_closed_ = false;
};

}  // namespace

std::expected<std::shared_ptr<DiskStore>, Problem> DiskStore::open(const StoreOptions& options,
                                                                   std::string boot_id, Clock& clock) {
  auto writer = Writer::make({.path = options.path,
                              .sync = options.sync,
                              .bytes_max = options.file_bytes_max,
                              .boot_id = std::move(boot_id)},
                             saturating_duration(options.sync_interval), clock);
  if (!writer) return std::unexpected(std::move(writer.error()));
  const pubsub::StoreTimes times{.stall_max = saturating_duration(options.stall_max),
                                 .retry_interval = saturating_duration(options.retry_interval)};
  return std::shared_ptr<DiskStore>(new DiskStore(*std::move(writer), times, options.file_bytes_max, clock));
}

DiskStore::DiskStore(std::unique_ptr<Writer> writer, pubsub::StoreTimes times, std::uint64_t bytes_max,
                     Clock& clock)
    : times_(times), bytes_max_(bytes_max), clock_(clock), writer_(std::move(writer)), thread_([this] {
        run();
      }) {}

DiskStore::~DiskStore() {
  queue_->stop();
  thread_.join();
  writer_->close();
}

void DiskStore::run() {
  Instant next = writer_->tick();
  while (auto tasks = queue_->take(next)) {
    writer_->run(*std::move(tasks));
    next = writer_->tick();
  }
}

std::expected<pubsub::EventStore::Opened, std::string> DiskStore::open(std::string_view name,
                                                                       const Wanted& wanted, Report report) {
  const auto topic = std::make_shared<DiskTopic>(std::string(name), wanted.on_disk, std::move(report));
  OpenTask task{.topic = topic, .in_memory = wanted.in_memory, .new_epoch = wanted.new_epoch, .done = {}};
  auto done = task.done.get_future();
  queue_->push(std::move(task));  // the store ends with its last owner, which is calling
  auto opened = done.get();
  if (opened) opened->topic = std::make_unique<OpenTopic>(topic, queue_, clock_);
  return opened;
}

StoreMetrics DiskStore::metrics() const {
  return {.stored = writer_->stored.load(std::memory_order_relaxed),
          .commits = writer_->commits.load(std::memory_order_relaxed),
          .failures = writer_->failures.load(std::memory_order_relaxed),
          .waiting = queue_->size()};
}

}  // namespace fanfare::store
