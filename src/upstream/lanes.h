#pragma once
// Two sides to one node: the gateway's own calls have their own connections, and clients' calls take turns on
// the others (call_queue.h).
//
//   for_source --> CallQueue: heads | the rest -----> connections of the source
//   the others --> CallQueue: client, client, .. ---> connections of the clients
//
// Among the clients' calls, those of methods that the node needs long for (slow_methods.h) leave a quarter of
// the connections to the others.
//
// On the source's side the calls about heads count as a client of their own. So unanswered calls for logs and
// receipts leave slots free for heads.
//
// Time in a queue does not count as the node's: it is in CallOptions::queue_time. The node's time begins
// after it (CallOptions::deadline). A call that times out because of it ends as FailureKind::overloaded.

#include <cstdint>
#include <functional>
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
  // For a call without a timeout of its own.
  Duration timeout = std::chrono::seconds(30);
};

class Lanes final : public Backend {
 public:
  // Both backends must lead to the same node; the name is that of `for_source`. `executor` must outlive this
  // object.
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
  // Outlives this object while calls are in flight; they end when the backends are destroyed.
  class Turns;

  void reconnected(Backend& other);

  Executor& executor_;
  std::shared_ptr<Turns> clients_;
  std::shared_ptr<Turns> source_;
  std::function<void()> reconnected_;
};

}  // namespace fanfare::upstream
