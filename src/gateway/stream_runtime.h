#pragma once
// The streams of the gateway: the hub with their topics, their part on each loop, and a poller for each stream on the
// thread of its node.

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "gateway/serve_plan.h"
#include "gateway/stream_sharing.h"
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
  StreamRuntime(const StreamsPlan& plan, const session::SessionSettings& settings, session::Server& server);
  StreamRuntime(const StreamRuntime&) = delete;
  StreamRuntime& operator=(const StreamRuntime&) = delete;
  // stop() has returned.
  ~StreamRuntime();

  // The part of one loop, on its thread; the loops come in order. Kept alive by what is returned.
  std::shared_ptr<streamserver::LoopStreams> make_loop(session::LoopServer& server);
  // The node of a network and its thread.
  struct NetworkNode {
    upstream::Worker& worker;
    std::function<upstream::Backend&()> backend;  // called on that thread
  };
  // Makes the pollers. After every loop has its part, before the first client.
  void begin(const std::function<NetworkNode(std::size_t network)>& network);
  // Nothing is polled any more when stop() returns; the workers of the networks stop before that.
  void begin_stop();
  void stop();

  const streams::Catalog& catalog() const { return catalog_; }
  // Null: no other instance has the streams.
  const relay::RelayCounters* relay_counters() const {
    return sharing_ == nullptr ? nullptr : &sharing_->relay().counters();
  }

 private:
  // NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): final, which a declaration cannot say
  struct LoopPart;
  struct Source;

  std::size_t count() const override { return loops_.size(); }
  bool post(std::size_t loop, Task task) override;
  void wait_for_relay() const;

  const StreamsPlan& plan_;
  const session::SessionSettings settings_;
  session::Server& server_;
  SystemRandom random_;
  std::unique_ptr<StreamSharing> sharing_;  // null: the plan has no relay. Outlives the hub
  pubsub::Hub hub_;
  streams::Catalog catalog_;
  std::vector<LoopPart*> loops_;
  std::unique_ptr<upstream::Worker> worker_;  // of the upstreams; null: there are none
  std::vector<std::unique_ptr<upstream::Backend>> upstreams_;
  std::vector<std::unique_ptr<Source>> sources_;
};

}  // namespace fanfare::gateway
