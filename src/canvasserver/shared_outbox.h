#pragma once
// What this instance writes into the log of a shared room: requests that were accepted, gathered into batches, one of which is under way
// at a time. So the log has them in their order, and each batch is as long as the broker makes it. The room's thread.

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "canvas/replica.h"
#include "canvas/shared_batch.h"
#include "fanfare/unique_function.h"

namespace fanfare::canvasserver {

// A batch has about so much at most, and what waits.
inline constexpr std::size_t kBatchBytesAim = std::size_t{192} << 10;
inline constexpr std::size_t kSharedOutboxBytesMax = std::size_t{16} << 20;

class SharedOutbox {
 public:
  using Result = canvas::Replica::Result;
  // Destroyed uncalled if the room begins again with another state (drop()).
  using Done = UniqueFunction<void(const Result&)>;

  void add(canvas::SharedRequest request, Done done);
  bool is_full() const { return waiting_bytes_ >= kSharedOutboxBytesMax; }
  bool has_waiting() const { return !waiting_.empty(); }
  // The batch that is under way; null: none is.
  const canvas::SharedBatch* batch() const { return under_way_ ? &*under_way_ : nullptr; }
  // Not while one is: the next one has these and what waits. Null: there is nothing.
  const canvas::SharedBatch* begin(canvas::InstanceId instance, std::int64_t time_ms,
                                   std::vector<std::pair<canvas::SharedRequest, Done>> first);
  // It is for this epoch of the log.
  void set_epoch(std::uint64_t epoch) { under_way_->epoch = epoch; }
  // The room has applied it.
  void applied(std::span<const Result> results);
  // Numbers go on behind the last one that the log may have.
  void drop(std::uint64_t last_batch);

 private:
  struct Waiting {
    canvas::SharedRequest request;
    Done done;
    std::size_t bytes = 0;
  };

  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::optional<canvas::SharedBatch> under_way_;
  std::vector<Done> done_;  // of its requests
  std::uint64_t last_number_ = 0;
};

}  // namespace fanfare::canvasserver
