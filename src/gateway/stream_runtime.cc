#include "gateway/stream_runtime.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "gateway/stream_nodes.h"
#include "streams/poller.h"
#include "upstream/http_node.h"

namespace fanfare::gateway {
namespace {

streams::StreamOptions options_of(const streams::StreamSpec& spec) {
  return {.name = spec.name,
          .interval_ms = std::chrono::duration_cast<std::chrono::milliseconds>(spec.interval).count(),
          .on_change = spec.on_change,
          .history_messages = spec.history_messages,
          .history_bytes = spec.history_bytes,
          .slow_readers = spec.slow_readers};
}

std::unique_ptr<upstream::Backend> make_node(upstream::Worker& worker, const UpstreamPlan& plan) {
  return std::make_unique<upstream::HttpNode>(
      worker, upstream::HttpOptions{.url = plan.url,
                                    .name = plan.id,
                                    .headers = plan.headers,
                                    .timeout = plan.timeout,
                                    .connections_max = plan.limits.client_calls_max,
                                    .response_bytes_max = kStreamAnswerBytesMax,
                                    .client = plan.http_client});
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
  Source(const streams::StreamSpec& its_spec, std::shared_ptr<streams::Stream> its_stream,
         upstream::Worker& its_worker)
      : spec(its_spec), stream(std::move(its_stream)), worker(its_worker) {}

  void begin(upstream::Backend& backend) {
    node = std::make_unique<StreamNode>(backend);
    poller = std::make_unique<streams::Poller>(spec, *stream, *node, system_clock(), [this] { plan(); });
    poller->wake();
    plan();
  }
  void plan() {
    log_changes();
    worker.cancel(timer);
    timer = {};
    const Instant due = poller->next_due();
    if (due == Instant::max()) return;
    timer = worker.call_at(due, [this] {
      poller->advance();
      plan();
    });
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
      hub_(HubOptions{}, random_),
      catalog_(hub_, plan.limits) {
  for (const StreamPlan& stream : plan_.streams)
    FANFARE_CHECK(catalog_.add(options_of(stream.spec)).has_value());
}

StreamRuntime::~StreamRuntime() = default;

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
    auto& source =
        sources_.emplace_back(std::make_unique<Source>(plan.spec, catalog_.find(plan.spec.name), *worker));
    // A source lives until its worker has stopped.
    source->stream->on_watched([&source = *source] {
      source.worker.post([&source] {
        if (source.poller == nullptr) return;
        source.poller->wake();
        source.plan();
      });
    });
    worker->post([&source = *source, backend = std::move(backend)] { source.begin(backend()); });
  }
}

void StreamRuntime::begin_stop() {
  if (worker_ != nullptr) worker_->begin_stop();
}

void StreamRuntime::stop() {
  if (worker_ != nullptr) worker_->stop();
}

}  // namespace fanfare::gateway
