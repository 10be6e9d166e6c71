#pragma once
// A stream's poller, on the thread of its node.

#include <functional>
#include <memory>
#include <optional>

#include "gateway/stream_nodes.h"
#include "relay/leases.h"
#include "streams/poller.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

class StreamSource final : public std::enable_shared_from_this<StreamSource> {
 public:
  // Called on the worker's thread.
  using BackendOf = std::function<upstream::Backend&()>;

  // The worker and the backend must outlive it, or its end(). `leases`: null, unless other instances have the stream as well;
  // then it is polled while this instance has the stream's lease.
  StreamSource(streams::StreamSpec spec, std::shared_ptr<streams::Stream> stream, upstream::Worker& worker,
               BackendOf backend, relay::Leases* leases = nullptr)
      : spec_(std::move(spec)),
        stream_(std::move(stream)),
        worker_(worker),
        backend_(std::move(backend)),
        leases_(leases) {}
  StreamSource(const StreamSource&) = delete;
  StreamSource& operator=(const StreamSource&) = delete;

  // Any thread, all below; they take effect soon, in this order.
  void start();
  // From the next poll on; all else of the spec stays.
  void set_interval(Duration interval);
  // Ends for good. `successor`: starts then, with what is known of the published values; null: nobody does.
  void end(std::shared_ptr<StreamSource> successor = nullptr);

  streams::Stream& stream() const { return *stream_; }

  // The length of the lease for a stream that is polled at this interval: another instance polls within two of them.
  static Duration lease_of(Duration interval) { return std::max(interval, kLeaseMin); }
  static constexpr Duration kLeaseMin = std::chrono::milliseconds(500);

 private:
  void begin(streams::PollerMemory memory);
  void advance();
  void plan();
  void log_changes();
  void wake_on_subscribers();
  void wake();
  void on_lease(bool is_held);
  void note_predecessor();
  void let_others_try();
  bool may_want() const { return system_clock().now() >= may_want_from_; }
  bool may_poll() const { return leases_ == nullptr || leases_->is_held(lease_); }

  streams::StreamSpec spec_;
  const std::shared_ptr<streams::Stream> stream_;
  upstream::Worker& worker_;
  const BackendOf backend_;
  relay::Leases* const leases_;

  // The worker's thread:
  relay::LeaseId lease_ = 0;
  std::optional<StreamNode> node_;
  std::optional<streams::Poller> poller_;  // empty: not begun, or at its end
  upstream::TimerId timer_;
  Instant lease_began_ = kLongAgo;
  Instant may_want_from_{};
  bool was_interrupted_ = false;
  bool has_ended_ = false;
};

}  // namespace fanfare::gateway
