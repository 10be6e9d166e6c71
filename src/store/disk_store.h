#pragma once
// The events of topics in one file, and the thread that writes it: what fanfare::Store opens.

#include <expected>
#include <memory>
#include <thread>

#include "base/time.h"
#include "fanfare/store.h"
#include "pubsub/event_store.h"
#include "store/queue.h"
#include "store/writer.h"

namespace fanfare::store {

class DiskStore final : public pubsub::EventStore {
 public:
  // `boot_id` as in FileSettings. The clock outlives the store.
  static std::expected<std::shared_ptr<DiskStore>, Problem> open(const StoreOptions& options,
                                                                 std::string boot_id, Clock& clock);
  DiskStore(const DiskStore&) = delete;
  DiskStore& operator=(const DiskStore&) = delete;
  // Writes what waits and closes the file.
  ~DiskStore() override;

  std::expected<Opened, std::string> open(std::string_view name, const Wanted& wanted,
                                          Report report) override;
  pubsub::StoreTimes times() const override { return times_; }
  std::uint64_t bytes_max() const override { return bytes_max_; }
  StoreMetrics metrics() const;

 private:
  DiskStore(std::unique_ptr<Writer> writer, pubsub::StoreTimes times, std::uint64_t bytes_max, Clock& clock);
  void run();

  const pubsub::StoreTimes times_;
  const std::uint64_t bytes_max_;
  Clock& clock_;
  const std::unique_ptr<Writer> writer_;
  const std::shared_ptr<TaskQueue> queue_ = std::make_shared<TaskQueue>();
  std::thread thread_;
};

}  // namespace fanfare::store
