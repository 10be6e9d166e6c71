#pragma once
// The two ways to one node: the gateway's own questions have connections of their own, and clients' calls
// take turns on the others (call_queue.h).
//
//   for_source --> CallQueue: heads | the rest -----> connections of the source
//   the others --> CallQueue: client, client, .. ---> connections of the clients
//
// On the source's side the questions about heads are a client of their own, so that logs and receipts that a
// node does not answer leave places free for heads.
//
// Time in a queue is not the node's: it is in CallOptions::queue_time, the node's time begins after it
// (CallOptions::deadline), and what runs out of time because of it ends as FailureKind::overloaded.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "upstream/backend.h"
#include "upstream/call_queue.h"
#include "upstream/executor.h"

namespace fanfare::upstream {

struct LaneOptions {
  CallQueueLimits clients;
  CallQueueLimits source{.calls_max = 16, .waiting_max = 4096, .waiting_per_client_max = 4096};
  // Of a call that brings none of its own.
  Duration timeout = std::chrono::seconds(30);
};

class Lanes final : public Backend {
 public:
  // Both lead to the same node; the name is that of `for_source`. `executor` outlives this.
  Lanes(Executor& executor, std::unique_ptr<Backend> for_clients, std::unique_ptr<Backend> for_source,
        LaneOptions options);
  // Any thread.
  ~Lanes() override;

  void call(std::string body, CallOptions options, Done done) override;
  // Changes when either is reconnected.
  std::optional<std::uint64_t> connection() const override;
  void on_reconnect(std::function<void()> reconnected) override;
  std::string_view name() const override;

 private:
  // Outlives this with the calls under way, whose ends come when the backends go.
  class Turns;

  Executor& executor_;
  std::shared_ptr<Turns> clients_;
  std::shared_ptr<Turns> source_;
};

}  // namespace fanfare::upstream
