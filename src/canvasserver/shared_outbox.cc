#include "canvasserver/shared_outbox.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fanfare::canvasserver {

using canvas::SharedBatch;
using canvas::SharedRequest;

void SharedOutbox::add(SharedRequest request, Done done) {
  const std::size_t bytes = canvas::bytes_of(request);
  waiting_bytes_ += bytes;
  waiting_.push_back({.request = std::move(request), .done = std::move(done), .bytes = bytes});
}

const SharedBatch* SharedOutbox::begin(canvas::InstanceId instance, std::int64_t time_ms,
                                       std::vector<std::pair<SharedRequest, Done>> first) {
  FANFARE_CHECK(!under_way_);
  if (first.empty() && waiting_.empty()) return nullptr;
  SharedBatch batch{
      .epoch = 0, .instance = instance, .number = ++last_number_, .time_ms = time_ms, .requests = {}};
  std::size_t bytes = 0;
  const auto take = [&](SharedRequest request, Done done) {
    bytes += canvas::bytes_of(request);
    batch.requests.push_back(std::move(request));
    done_.push_back(std::move(done));
  };
  done_.clear();
  for (auto& [request, done] : first) take(std::move(request), std::move(done));
  while (!waiting_.empty() && (bytes == 0 || bytes + waiting_.front().bytes <= kBatchBytesAim)) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= next.bytes;
    take(std::move(next.request), std::move(next.done));
  }
  under_way_ = std::move(batch);
  return &*under_way_;
}

void SharedOutbox::applied(std::span<const Result> results) {
  under_way_.reset();
  std::vector<Done> done = std::exchange(done_, {});
  for (std::size_t i = 0; i < std::min(done.size(), results.size()); ++i) {
    if (done[i]) done[i](results[i]);
  }
}

void SharedOutbox::drop(std::uint64_t last_batch) {
  under_way_.reset();
  done_.clear();
  waiting_.clear();
  waiting_bytes_ = 0;
  last_number_ = std::max(last_number_, last_batch);
}

}  // namespace fanfare::canvasserver
