#pragma once
// The streams of the gateway: the hub with their topics, their part on each loop, and a poller for each stream on the
// thread of its node. It is there without streams, too, so that a reload can add some.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "gateway/serve_plan.h"
#include "gateway/stream_sharing.h"
#include "gateway/stream_source.h"
#include "pubsub/hub.h"
#include "session/server.h"
#include "streams/catalog.h"
#include "streamserver/loop_streams.h"
#include "upstream/backend.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

class StreamRuntime final : private pubsub::HubLoops {
 public:
  // All must outlive the runtime, except the server, whose loops must have ended before it is destroyed.
  StreamRuntime(const std::optional<StreamsPlan>& plan, const std::optional<NatsOptions>& relay,
                const session::SessionSettings& settings, session::Server& server);
  StreamRuntime(const StreamRuntime&) = delete;
  StreamRuntime& operator=(const StreamRuntime&) = delete;
  // stop() has returned.
  ~StreamRuntime();

  // The part of one loop, on its thread; the loops come in order. Kept alive by what is returned.
  std::shared_ptr<streamserver::LoopStreams> make_loop(session::LoopServer& server);
  // The node of a network, and its thread.
  struct NetworkNode {
    std::size_t slot;  // that names the network
    upstream::Worker& worker;
    StreamSource::BackendOf backend;
  };
  using NodeOf = std::function<NetworkNode(std::size_t network)>;  // by its index in the plan
  // Makes the pollers. After every loop has its part, before the first client.
  void begin(const NodeOf& network);
  // Another plan, on the thread of begin(). Subscribers of a stream that is gone get `unsubscribed`. One that keeps its history goes on
  // with its events, however it is polled; with another history or another policy for slow readers it is a new one, with
  // another epoch. The networks of both plans must be there. If the whole plan has gone, WebSockets are closed with 1012 over the
  // spread.
  using SpreadOf = std::function<Duration(std::size_t connections)>;
  void change(const std::optional<StreamsPlan>& plan, const NodeOf& network, const SpreadOf& spread_of);
  // On the loop's thread, after change() or for other settings.
  void apply_on(std::size_t loop, const session::SessionSettings& settings);
  // Nothing is polled any more when stop() returns; the workers of the networks stop before that.
  void begin_stop();
  void stop();

  const streams::Catalog& catalog() const { return catalog_; }
  // Null: no other instance has the streams.
  const StreamSharing* sharing() const { return sharing_.get(); }

 private:
  // NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): final, which a declaration cannot say
  struct LoopPart;
  // A node that belongs to no network.
  struct OwnNode {
    UpstreamPlan plan;
    std::unique_ptr<upstream::Backend> backend;
  };
  // What is polled for a stream, and where.
  struct Polled {
    StreamPlan plan;
    std::size_t slot = 0;           // of a network
    std::shared_ptr<OwnNode> node;  // null: of a network
    std::shared_ptr<StreamSource> source;
  };

  std::size_t count() const override { return loops_.size(); }
  bool post(std::size_t loop, Task task) override;
  void close_clients(Duration spread);
  void change_nodes(const std::vector<UpstreamPlan>& wanted);
  Polled polled(const StreamPlan& plan, const NodeOf& network, std::shared_ptr<streams::Stream> stream);
  std::shared_ptr<streams::Stream> add_topic(const StreamPlan& plan);
  void add(const StreamPlan& plan, const NodeOf& network);
  void change_stream(Polled& present, const StreamPlan& plan, const NodeOf& network);
  void remove(const Polled& gone);
  relay::Leases* leases_of(const StreamPlan& plan);

  StreamsPlan plan_;
  bool is_present_;                          // the plan has them
  std::atomic<std::uint64_t> turns_ = 0;     // counts how often all of them have gone or come back
  const session::SessionSettings settings_;  // of the start
  session::Server& server_;
  SystemRandom random_;
  std::unique_ptr<StreamSharing> sharing_;  // null: the plan has no relay. Outlives the hub
  pubsub::Hub hub_;
  streams::Catalog catalog_;
  std::vector<LoopPart*> loops_;
  std::unique_ptr<upstream::Worker> worker_;       // of the own nodes; null: there were none yet
  std::vector<std::shared_ptr<OwnNode>> nodes_;    // in the plan's order
  std::vector<std::shared_ptr<OwnNode>> retired_;  // by the last change()
  std::vector<Polled> polled_;                     // in the plan's order
};

}  // namespace fanfare::gateway
