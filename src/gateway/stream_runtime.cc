#include "gateway/stream_runtime.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "gateway/reload/closing.h"
#include "gateway/reload/stream_diff.h"
#include "gateway/stream_nodes.h"
#include "upstream/http_node.h"
#include "ws/close_code.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kStreamsRemoved = "streams were removed from the configuration";

std::int64_t milliseconds_of(Duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

streams::StreamOptions options_of(const StreamPlan& plan) {
  const streams::StreamSpec& spec = plan.spec;
  return {.name = spec.name,
          .interval_ms = milliseconds_of(spec.interval),
          .on_change = spec.on_change,
          .history_messages = spec.history_messages,
          .history_bytes = spec.history_bytes,
          .slow_readers = spec.slow_readers,
          .shared = plan.relayed,
          .new_only = spec.new_only.has_value()};
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
        settings(runtime.settings_),
        hub(runtime.hub_, index, *this),
        streams(runtime.catalog_, hub, its_server, settings) {}

  Instant now() override { return server.loop().now(); }
  void call_after(Duration delay, UniqueFunction<void()> task) override {
    server.loop().call_after(delay, std::move(task));
  }

  session::LoopServer& server;
  session::SessionSettings settings;
  pubsub::LoopHub hub;
  streamserver::LoopStreams streams;
};

StreamRuntime::StreamRuntime(const std::optional<StreamsPlan>& plan, const std::optional<NatsOptions>& relay,
                             const session::SessionSettings& settings, session::Server& server)
    : plan_(plan.value_or(StreamsPlan{})),
      is_present_(plan.has_value()),
      settings_(streamserver::session_settings(plan_.limits, settings)),
      server_(server),
      sharing_(relay ? std::make_unique<StreamSharing>(*relay) : nullptr),
      hub_(HubOptions{}, random_),
      catalog_(hub_, plan_.limits) {
  if (sharing_ != nullptr) hub_.set_relay(sharing_->relay());
  for (const StreamPlan& stream : plan_.streams) add_topic(stream);
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

void StreamRuntime::begin(const NodeOf& network) {
  hub_.attach(*this);
  if (sharing_ != nullptr) sharing_->leases().start();
  change_nodes(plan_.upstreams);
  for (const StreamPlan& plan : plan_.streams) {
    polled_.push_back(polled(plan, network, catalog_.find(plan.spec.name)));
    polled_.back().source->start();
  }
}

void StreamRuntime::change(const std::optional<StreamsPlan>& wanted, const NodeOf& network,
                           const SpreadOf& spread_of) {
  const StreamsPlan plan = wanted.value_or(StreamsPlan{});
  if (std::exchange(is_present_, wanted.has_value()) != wanted.has_value()) ++turns_;
  if (plan.limits != plan_.limits) catalog_.set_limits(plan.limits);
  change_nodes(plan.upstreams);
  std::vector<Polled> before = std::exchange(polled_, {});
  const auto take = [&](const std::string& name) -> std::optional<Polled> {
    const auto found = std::ranges::find(before, name, [](const Polled& one) { return one.plan.spec.name; });
    if (found == before.end()) return std::nullopt;
    Polled taken = std::move(*found);
    before.erase(found);
    return taken;
  };
  for (const StreamPlan& stream : plan.streams) {
    auto present = take(stream.spec.name);
    if (present && keeps_events(present->plan, stream)) {
      change_stream(*present, stream, network);
      polled_.push_back(*std::move(present));
    } else {
      if (present) remove(*present);
      add(stream, network);
    }
  }
  for (const Polled& gone : before) remove(gone);
  // Behind the ends of those who polled them.
  for (const auto& node : retired_) worker_->post([node] { node->backend.reset(); });
  if (!wanted) close_clients(spread_of(catalog_.connections(streams::Transport::websocket)));
  plan_ = plan;
}

void StreamRuntime::close_clients(Duration spread) {
  if (catalog_.connections(streams::Transport::websocket) == 0) return;
  Closing::start(
      server_,
      [this](std::size_t loop, const session::Session& session) {
        return &session.endpoint() == &loops_[loop]->streams;
      },
      ws::close_code::service_restart, kStreamsRemoved, spread,
      [this, turn = turns_.load()] { return turns_ == turn; }, [] {});
}

void StreamRuntime::apply_on(std::size_t loop, const session::SessionSettings& settings) {
  LoopPart& part = *loops_[loop];
  part.settings = streamserver::session_settings(catalog_.limits(), settings);
  part.streams.limits_changed();
}

// Those that stay keep their connections. A call in flight at one that is gone has nobody who waits for it.
void StreamRuntime::change_nodes(const std::vector<UpstreamPlan>& wanted) {
  std::vector<std::shared_ptr<OwnNode>> before = std::exchange(nodes_, {});
  if (worker_ == nullptr && !wanted.empty()) {
    worker_ = std::make_unique<upstream::Worker>(upstream::WorkerOptions{.thread_name = "streams"});
  }
  for (const UpstreamPlan& plan : wanted) {
    const auto found = std::ranges::find(before, plan, [](const auto& one) { return one->plan; });
    if (found != before.end()) {
      nodes_.push_back(std::move(*found));
      before.erase(found);
    } else {
      nodes_.push_back(std::make_shared<OwnNode>(plan, make_node(*worker_, plan)));
    }
  }
  retired_ = std::move(before);
}

// Null: this instance alone polls it.
relay::Leases* StreamRuntime::leases_of(const StreamPlan& plan) {
  return plan.relayed ? &sharing_->leases() : nullptr;
}

StreamRuntime::Polled StreamRuntime::polled(const StreamPlan& plan, const NodeOf& network,
                                            std::shared_ptr<streams::Stream> stream) {
  Polled made{.plan = plan, .node = nullptr, .source = nullptr};
  if (plan.source == StreamPlan::Source::network) {
    NetworkNode node = network(plan.index);
    made.slot = node.slot;
    made.source = std::make_shared<StreamSource>(plan.spec, std::move(stream), node.worker,
                                                 std::move(node.backend), leases_of(plan));
  } else {
    made.node = nodes_[plan.index];
    const auto backend = [node = made.node]() -> upstream::Backend& { return *node->backend; };
    made.source =
        std::make_shared<StreamSource>(plan.spec, std::move(stream), *worker_, backend, leases_of(plan));
  }
  return made;
}

std::shared_ptr<streams::Stream> StreamRuntime::add_topic(const StreamPlan& plan) {
  if (plan.relayed) sharing_->keep(plan.spec.history_messages, plan.spec.history_bytes);
  auto stream = catalog_.add(options_of(plan));
  FANFARE_CHECK(stream.has_value());
  return *std::move(stream);
}

void StreamRuntime::add(const StreamPlan& plan, const NodeOf& network) {
  polled_.push_back(polled(plan, network, add_topic(plan)));
  polled_.back().source->start();
}

void StreamRuntime::change_stream(Polled& present, const StreamPlan& plan, const NodeOf& network) {
  Polled wanted = polled(plan, network, catalog_.find(plan.spec.name));
  streams::StreamSpec same_interval = plan.spec;
  same_interval.interval = present.plan.spec.interval;
  const bool is_polled_alike = same_interval == present.plan.spec && plan.source == present.plan.source &&
                               wanted.slot == present.slot && wanted.node == present.node;
  const bool has_other_interval = plan.spec.interval != present.plan.spec.interval;
  if (is_polled_alike && has_other_interval) present.source->set_interval(plan.spec.interval);
  if (!is_polled_alike) {
    present.source->end(wanted.source);
    present.source = std::move(wanted.source);
  }
  present.source->stream().set_polling(milliseconds_of(plan.spec.interval), plan.spec.on_change);
  present.plan = plan;
  present.slot = wanted.slot;
  present.node = std::move(wanted.node);
}

void StreamRuntime::remove(const Polled& gone) {
  gone.source->end();
  catalog_.remove(gone.plan.spec.name);
}

void StreamRuntime::begin_stop() {
  // Another instance takes over at once.
  if (sharing_ != nullptr) sharing_->leases().begin_stop();
  if (worker_ != nullptr) worker_->begin_stop();
}

void StreamRuntime::stop() {
  if (sharing_ != nullptr) sharing_->leases().stop();
  hub_.stop_relay();
  if (worker_ != nullptr) worker_->stop();
}

}  // namespace fanfare::gateway
