#include "gateway/stream_runtime.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "gateway/stream_nodes.h"
#include "streams/poller.h"
#include "upstream/http_node.h"

namespace fanfare::gateway {
namespace {

// Clients that come before the relay has said where the topics begin get more events than they need.
constexpr Duration kRelayWaitMax = std::chrono::seconds(3);
constexpr Duration kRelayLookEvery = std::chrono::milliseconds(5);

std::unique_ptr<StreamSharing> sharing_of(const StreamsPlan& plan) {
  if (!plan.relay) return nullptr;
  std::size_t messages_max = 0;
  std::size_t bytes_max = 0;
  for (const StreamPlan& stream : plan.streams) {
    messages_max = std::max(messages_max, stream.spec.history_messages);
    bytes_max = std::max(bytes_max, stream.spec.history_bytes);
  }
  return std::make_unique<StreamSharing>(*plan.relay, messages_max, bytes_max);
}

streams::StreamOptions options_of(const streams::StreamSpec& spec, bool is_shared) {
  return {.name = spec.name,
          .interval_ms = std::chrono::duration_cast<std::chrono::milliseconds>(spec.interval).count(),
          .on_change = spec.on_change,
          .history_messages = spec.history_messages,
          .history_bytes = spec.history_bytes,
          .slow_readers = spec.slow_readers,
          .shared = is_shared,
          .new_only = spec.new_only.has_value()};
}

std::unique_ptr<upstream::Backend> make_node(upstream::Worker& worker, const UpstreamPlan& plan) {
  return std::make_unique<upstream::HttpNode>(
      worker, upstream::HttpOptions{.url = plan.url,
                                    .name = plan.id,
                                    .headers = plan.headers,
                                    .timeout = plan.timeout,
                                    .connections_max = plan.limits.client_calls_max,
                                    .response_bytes_max = kStreamAnswerBytesMax});
}

}  // namespace

// What a loop has for streams. The hub's part outlives the subscribers.
struct StreamRuntime::LoopPart final : pubsub::LoopPort {
  LoopPart(StreamRuntime& runtime, session::LoopServer& its_server, std::size_t index)
      : server(its_server),
        hub(runtime.hub_, index, *this),
        streams(runtime.catalog_, hub, its_server, runtime.settings_) {}

  Instant now() override { return server.loop().now(); }
  void call_after(Duration delay, UniqueFunction<void()> task) override {
    server.loop().call_after(delay, std::move(task));
  }

  session::LoopServer& server;
  pubsub::LoopHub hub;
  streamserver::LoopStreams streams;
};

// A stream's poller, on the thread of its node.
struct StreamRuntime::Source {
  // `leases`: null, unless other instances have the stream as well.
  Source(const streams::StreamSpec& its_spec, std::shared_ptr<streams::Stream> its_stream,
         upstream::Worker& its_worker, relay::Leases* its_leases)
      : spec(its_spec), stream(std::move(its_stream)), worker(its_worker), leases(its_leases) {}

  // Any thread. Whoever polls a shared stream has its lease, and wants it while somebody watches.
  void wake_soon() {
    if (leases != nullptr) return leases->want(stream->name(), true);
    post_wake();
  }
  void post_wake() {
    worker.post([this] {
      if (poller == nullptr) return;
      poller->wake();
      plan();
    });
  }
  // On the leases' thread.
  void on_lease(bool is_held) {
    if (is_held) return post_wake();
    worker.post([this] {
      if (poller == nullptr) return;
      poller->rest();
      plan();
    });
  }
  void advance() {
    if (leases != nullptr && !leases->is_held(stream->name())) poller->rest();
    poller->advance();
    plan();
    if (leases == nullptr || poller->is_active()) return;
    leases->want(stream->name(), false);
    // Somebody has come meanwhile.
    if (stream->watchers() > 0) leases->want(stream->name(), true);
  }

  void begin(upstream::Backend& backend) {
    node = std::make_unique<StreamNode>(backend);
    poller = std::make_unique<streams::Poller>(spec, *stream, *node, system_clock(), [this] { plan(); });
    if (leases == nullptr) poller->wake();
    if (stream->watchers() > 0) wake_soon();
    plan();
  }
  void plan() {
    log_changes();
    worker.cancel(timer);
    timer = {};
    const Instant due = poller->next_due();
    if (due == Instant::max()) return;
    timer = worker.call_at(due, [this] { advance(); });
  }
  void log_changes() {
    if (std::exchange(was_interrupted, stream->is_interrupted()) == stream->is_interrupted()) return;
    if (stream->is_interrupted()) {
      log::warn("stream_interrupted", {{"stream", stream->name()}, {"reason", stream->reason()}});
    } else {
      log::info("stream_restored", {{"stream", stream->name()}});
    }
  }

  const streams::StreamSpec& spec;
  const std::shared_ptr<streams::Stream> stream;
  upstream::Worker& worker;
  relay::Leases* const leases;
  std::unique_ptr<StreamNode> node;
  std::unique_ptr<streams::Poller> poller;
  upstream::TimerId timer;
  bool was_interrupted = false;
};

StreamRuntime::StreamRuntime(const StreamsPlan& plan, const session::SessionSettings& settings,
                             session::Server& server)
    : plan_(plan),
      settings_(streamserver::session_settings(plan.limits, settings)),
      server_(server),
      sharing_(sharing_of(plan)),
      hub_(HubOptions{}, random_),
      catalog_(hub_, plan.limits) {
  if (sharing_ != nullptr) hub_.set_relay(sharing_->relay());
  for (const StreamPlan& stream : plan_.streams)
    FANFARE_CHECK(catalog_.add(options_of(stream.spec, sharing_ != nullptr)).has_value());
}

StreamRuntime::~StreamRuntime() {
  if (sharing_ != nullptr) sharing_->leases().stop();
  hub_.stop_relay();
}

std::shared_ptr<streamserver::LoopStreams> StreamRuntime::make_loop(session::LoopServer& server) {
  auto part = std::make_shared<LoopPart>(*this, server, loops_.size());
  loops_.push_back(part.get());
  return {part, &part->streams};
}

bool StreamRuntime::post(std::size_t loop, Task task) {
  return server_.post(
      loop, [this, loop, task = std::move(task)](session::LoopServer&) mutable { task(loops_[loop]->hub); });
}

void StreamRuntime::begin(const std::function<NetworkNode(std::size_t network)>& network) {
  hub_.attach(*this);
  if (!plan_.upstreams.empty()) {
    worker_ = std::make_unique<upstream::Worker>(upstream::WorkerOptions{.thread_name = "streams"});
    for (const UpstreamPlan& upstream : plan_.upstreams) upstreams_.push_back(make_node(*worker_, upstream));
  }
  for (const StreamPlan& plan : plan_.streams) {
    const bool is_network = plan.source == StreamPlan::Source::network;
    std::function<upstream::Backend&()> backend = [this, index = plan.index]() -> upstream::Backend& {
      return *upstreams_[index];
    };
    upstream::Worker* worker = worker_.get();
    if (is_network) {
      NetworkNode node = network(plan.index);
      backend = std::move(node.backend);
      worker = &node.worker;
    }
    relay::Leases* const leases = sharing_ == nullptr ? nullptr : &sharing_->leases();
    Source& source = *sources_.emplace_back(
        std::make_unique<Source>(plan.spec, catalog_.find(plan.spec.name), *worker, leases));
    // A source lives until its worker has stopped.
    source.stream->on_watched([&source] { source.wake_soon(); });
    if (leases != nullptr) {
      leases->add(plan.spec.name, StreamSharing::lease_of(plan.spec.interval),
                  [&source](bool is_held) { source.on_lease(is_held); });
    }
    worker->post([&source, backend = std::move(backend)] { source.begin(backend()); });
  }
  if (sharing_ != nullptr) {
    sharing_->leases().start();
    wait_for_relay();
  }
}

// Not for long: without the broker, clients are served and told.
void StreamRuntime::wait_for_relay() const {
  const Instant until = saturating_add(system_clock().now(), kRelayWaitMax);
  std::mutex mutex;
  std::condition_variable never;
  while (!sharing_->relay().counters().is_up && system_clock().now() < until) {
    std::unique_lock lock(mutex);
    never.wait_for(lock, kRelayLookEvery);
  }
}

void StreamRuntime::begin_stop() {
  // Another instance takes over at once.
  if (sharing_ != nullptr) sharing_->leases().stop();
  if (worker_ != nullptr) worker_->begin_stop();
}

void StreamRuntime::stop() {
  hub_.stop_relay();
  if (worker_ != nullptr) worker_->stop();
}

}  // namespace fanfare::gateway
