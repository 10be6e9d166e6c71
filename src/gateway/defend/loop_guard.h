#pragma once
// Refuses new work on one loop while the process has no room for it. Notifications of subscriptions, answers to calls
// that were accepted, and calls that end work (eth_unsubscribe and the like) are never refused. Loop thread.

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <random>

#include "base/time.h"
#include "gateway/defend/cells.h"
#include "gateway/defend/plan.h"
#include "jsonrpc/request.h"
#include "rpc/methods.h"
#include "server/work_guard.h"
#include "session/endpoint.h"
#include "session/settings.h"

namespace fanfare::gateway {

// A page cannot see the status of a refused upgrade, only a close code: this endpoint closes its sessions with 1013.
class ClosingEndpoint final : public session::Endpoint {
 public:
  ClosingEndpoint() : Endpoint(kSettings) {}
  // Of the next session.
  void set_retry_after(std::chrono::seconds wait) { wait_ = wait; }

  void on_open(session::Session& session) override;
  void on_message(session::Session&, const session::Message&) override {}

 private:
  static const session::SessionSettings kSettings;
  std::chrono::seconds wait_{1};
};

class LoopGuard final : public server::WorkGuard {
 public:
  // While long batches are refused, and for a time after that, none is taken on that would wait for more than so many targets of the delay.
  static constexpr std::int64_t kBatchTargetsMax = 2;

  // The cells must outlive the guard; `loop` is an index in them.
  LoopGuard(DefenceCells& cells, std::size_t loop, const DefencePlan& plan);

  std::optional<session::HttpResponse> refuse_request(const http::Request& request) override;
  std::optional<session::UpgradeDecision> refuse_upgrade(const http::Request& request) override;

  // For a request to a network whose nodes this worker talks to.
  std::optional<session::HttpResponse> refuse_request_of(std::size_t worker);
  std::optional<session::HttpResponse> refuse_upgrade_of(std::size_t worker);
  // For a batch that is read in slices: over HTTP, and over WebSocket.
  std::optional<session::HttpResponse> refuse_batch_request();
  std::optional<rpc::Refusal> refuse_batch();
  // The counter of the work on this loop that waits for its next slice.
  rpc::SliceLoad& slices() { return slices_; }
  // A call over WebSocket.
  std::optional<rpc::Refusal> refuse_call(const jsonrpc::Request& request, std::size_t worker);

 private:
  MemoryLevel memory() const { return cells_.memory.load(std::memory_order_relaxed); }
  std::chrono::seconds retry_after();
  session::HttpResponse unavailable(std::chrono::seconds wait) const;
  session::HttpResponse refuse(Work work, Shortage why);
  bool takes_for(std::size_t worker);
  bool takes_batch();
  rpc::Refusal refuse_for(Shortage why);
  // Whether a thread with these cells takes the next request or call.
  static bool takes(const LoadCells& cells, EvenShare& share);

  DefenceCells& cells_;
  LoadCells& loop_;
  LoadCells& batches_;
  rpc::SliceLoad& slices_;
  const Duration retry_after_;
  const Duration batch_wait_max_;
  std::minstd_rand random_;
  EvenShare loop_share_;
  EvenShare batch_share_;
  std::deque<EvenShare> worker_shares_;
  ClosingEndpoint closing_;
};

}  // namespace fanfare::gateway
