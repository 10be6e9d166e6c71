#include "upstream/lanes.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "upstream/slow_methods.h"

namespace fanfare::upstream {
namespace {

Failure queue_failure(std::string message) {
  return {.kind = FailureKind::overloaded, .message = std::move(message)};
}

// The calls that heads depend on, and checks and probes of the node.
bool asks_for_heads(std::string_view method) {
  static constexpr std::array<std::string_view, 4> kMethods{"eth_getBlockByNumber", "eth_getBlockByHash",
                                                            "eth_blockNumber", "eth_chainId"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

Failure shutdown_failure() {
  return {.kind = FailureKind::shutdown, .message = "the gateway is stopping"};
}

}  // namespace

// One side: a backend and the queue in front of it.
class Lanes::Turns final : public Executor::StopListener, public std::enable_shared_from_this<Turns> {
 public:
  // `measures`: slow calls leave a share of the slots to the fast ones.
  Turns(Executor& executor, std::unique_ptr<Backend> node, CallQueueLimits limits, Duration timeout,
        bool measures)
      : executor_(executor), timeout_(timeout), measures_(measures), queue_(limits), node_(std::move(node)) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  void call(std::string body, CallOptions options, Done done);
  void end();
  void worker_stopping() override { end_waiting(); }
  Backend& node() { return *node_; }

 private:
  struct Waiting {
    std::string body;
    CallOptions options;
    Done done;
    Duration timeout{};  // for the node
    Instant deadline{};  // for queue and node together
    CallQueue::Pace pace = CallQueue::Pace::fast;
    TimerId timer;
  };

  void start(Waiting call);
  void start_next();
  void returned(const Caller& caller, CallQueue::Pace pace);
  void measure(std::string_view method, Instant begun, const Result& result);
  void expire(CallQueue::CallId id);
  void refuse(Failure failure, Done done);
  void end_waiting();
  void end_refused();

  Executor& executor_;
  Duration timeout_;
  bool measures_;
  SlowMethods slow_;
  CallQueue queue_;
  CallQueue::CallId last_id_ = 0;
  std::unordered_map<CallQueue::CallId, Waiting> waiting_;
  std::vector<std::pair<Failure, Done>> refused_;  // they end in the next turn
  bool ended_ = false;
  std::unique_ptr<Backend> node_;
};

void Lanes::Turns::call(std::string body, CallOptions options, Done done) {
  FANFARE_CHECK(executor_.on_thread());
  const Instant now = executor_.now();
  const Duration timeout = options.timeout.value_or(timeout_);
  Waiting call{.body = std::move(body),
               .options = std::move(options),
               .done = std::move(done),
               .timeout = timeout,
               .deadline = now + timeout,
               .timer = {}};
  if (measures_ && slow_.is_slow(call.options.method)) call.pace = CallQueue::Pace::slow;
  if (call.options.deadline) call.deadline = *call.options.deadline;
  if (executor_.stopping() || ended_) return refuse(shutdown_failure(), std::move(call.done));
  const CallQueue::CallId id = ++last_id_;
  switch (queue_.add(id, call.options.caller, call.pace)) {
    case CallQueue::Place::at_node:
      return start(std::move(call));
    case CallQueue::Place::queue_full:
      return refuse(queue_failure("the gateway's queue for the node is full"), std::move(call.done));
    case CallQueue::Place::client_full:
      return refuse(queue_failure("the client has too many calls in the gateway's queue for the node"),
                    std::move(call.done));
    case CallQueue::Place::waiting:
      break;
  }
  if (call.options.queue_time != nullptr) call.options.queue_time->begin();
  call.timer = executor_.call_at(std::min(call.deadline, now + timeout), [this, id] { expire(id); });
  waiting_.emplace(id, std::move(call));
}

void Lanes::Turns::start(Waiting call) {
  const Instant now = executor_.now();
  const Duration left = std::max(call.deadline - now, Duration(std::chrono::milliseconds(1)));
  // A timeout shortened by the queue is not held against the node, unless it was shortened by next to
  // nothing.
  const bool is_short = left < call.timeout - call.timeout / 10;
  call.options.timeout = std::min(call.timeout, left);
  call.options.deadline.reset();
  Caller caller = call.options.caller;
  std::string method = measures_ ? call.options.method : std::string();
  node_->call(std::move(call.body), std::move(call.options),
              [self = shared_from_this(), caller = std::move(caller), method = std::move(method), now,
               pace = call.pace, is_short, done = std::move(call.done)](Result result) mutable {
                self->measure(method, now, result);
                self->returned(caller, pace);
                if (!result && is_short && result.error().kind == FailureKind::timeout) {
                  result.error().kind = FailureKind::overloaded;
                  result.error().message = "the call's time ran out in the gateway's queue for the node";
                }
                done(std::move(result));  // last: may destroy this
              });
}

// A call that failed at once says nothing about the method.
void Lanes::Turns::measure(std::string_view method, Instant begun, const Result& result) {
  if (method.empty()) return;
  if (result || result.error().kind == FailureKind::timeout) slow_.note(method, executor_.now() - begun);
}

void Lanes::Turns::returned(const Caller& caller, CallQueue::Pace pace) {
  queue_.ended(caller, pace);
  start_next();
}

void Lanes::Turns::start_next() {
  while (!ended_ && !executor_.stopping()) {
    const auto id = queue_.next();
    if (!id) return;
    Waiting call = std::move(waiting_.extract(*id).mapped());
    executor_.cancel(call.timer);
    if (call.options.queue_time != nullptr) call.options.queue_time->leave(executor_.now());
    start(std::move(call));
  }
}

void Lanes::Turns::expire(CallQueue::CallId id) {
  if (!queue_.remove(id)) return;
  Waiting call = std::move(waiting_.extract(id).mapped());
  if (call.options.queue_time != nullptr) call.options.queue_time->give_up();
  call.done(std::unexpected(
      queue_failure("the call's turn in the gateway's queue for the node did not come in time")));
}

// In the next turn, because `done` never runs inside call().
void Lanes::Turns::refuse(Failure failure, Done done) {
  refused_.emplace_back(std::move(failure), std::move(done));
  if (refused_.size() > 1) return;
  const bool posted = executor_.post([self = weak_from_this()] {
    if (const auto turns = self.lock()) turns->end_refused();
  });
  if (!posted) end_refused();
}

void Lanes::Turns::end_refused() {
  for (auto& [failure, done] : std::exchange(refused_, {})) done(std::unexpected(std::move(failure)));
}

void Lanes::Turns::end_waiting() {
  ended_ = true;
  for (auto& [id, call] : std::exchange(waiting_, {})) {
    queue_.remove(id);
    executor_.cancel(call.timer);
    call.done(std::unexpected(shutdown_failure()));
  }
  end_refused();
}

void Lanes::Turns::end() {
  end_waiting();
  node_.reset();  // ends the calls in flight
}

Lanes::Lanes(Executor& executor, std::unique_ptr<Backend> for_clients, std::unique_ptr<Backend> for_source,
             LaneOptions options)
    : executor_(executor),
      clients_(std::make_shared<Turns>(executor, std::move(for_clients), options.clients, options.timeout,
                                       /*measures=*/true)),
      source_(std::make_shared<Turns>(executor, std::move(for_source), options.source, options.timeout,
                                      /*measures=*/false)) {
  executor_.run([this] {
    executor_.attach(*clients_);
    executor_.attach(*source_);
    // Each side has its own delay before the next attempt. A node that one side reaches is there for both.
    clients_->node().on_reconnect([this] { reconnected(source_->node()); });
    source_->node().on_reconnect([this] { reconnected(clients_->node()); });
  });
}

void Lanes::reconnected(Backend& other) {
  other.connect_now();
  if (reconnected_) reconnected_();
}

Lanes::~Lanes() {
  executor_.run([this] {
    for (const auto& turns : {clients_, source_}) {
      executor_.detach(*turns);
      turns->end();
    }
  });
}

void Lanes::call(std::string body, CallOptions options, Done done) {
  if (options.for_source) options.caller = {.client = asks_for_heads(options.method) ? "heads" : "others"};
  Turns& turns = options.for_source ? *source_ : *clients_;
  turns.call(std::move(body), std::move(options), std::move(done));
}

std::string_view Lanes::name() const {
  return source_->node().name();
}

// Both numbers only increase, so their sum changes with either.
std::optional<std::uint64_t> Lanes::connection() const {
  const auto one = clients_->node().connection();
  const auto other = source_->node().connection();
  if (!one || !other) return std::nullopt;
  return *one + *other;
}

void Lanes::on_reconnect(std::function<void()> reconnected) {
  reconnected_ = std::move(reconnected);
}

}  // namespace fanfare::upstream
