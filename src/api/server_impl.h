#pragma once
// The implementation of a public Server: its routes and its loops. The routes do not change while it runs.
// The part of each loop is used on that loop's thread only.

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/lifecycle.h"
#include "api/loop_context.h"
#include "api/server_timers.h"
#include "base/random.h"
#include "fanfare/server.h"
#include "fanfare/streams.h"
#include "fanfare/unique_function.h"
#include "pubsub/hub.h"
#include "server/listener.h"
#include "server/path_pattern.h"
#include "server/static_files.h"
#include "session/server.h"

namespace fanfare::rpc {
class Registry;
}  // namespace fanfare::rpc

namespace fanfare::api {

struct UpgradeEntry {
  server::PathPattern path;
  std::unique_ptr<WebSocketRoute> route;
};
struct RequestEntry {
  server::PathPattern path;
  std::string method;
  std::function<void(const Request&, Responder)> answer;
  // In place of `answer`: the body is taken in pieces.
  std::function<void(const Request&, Responder, BodyReader)> answer_in_pieces = {};
  BodyOptions body = {};
};

struct FilesEntry {
  server::PathPattern path;
  server::FileOptions options;
  std::shared_ptr<server::StaticFiles> mount;  // from start() on
};

// A JSON-RPC service at a path.
struct RpcEntry {
  std::string text;  // the path, as the program wrote it
  server::PathPattern path;
  std::shared_ptr<rpc::Registry> registry;
};

// Everything that a program added before start().
struct Routes {
  std::vector<UpgradeEntry> upgrades;
  std::vector<RequestEntry> requests;
  std::vector<FilesEntry> files;
  std::vector<RpcEntry> rpcs;
  std::function<std::optional<Response>(const Request&)> admit;  // empty: every request is admitted
  std::string problem;  // why one could not be added; start() reports it
};

struct ServerStreams;

class ServerImpl : public std::enable_shared_from_this<ServerImpl> {
 public:
  explicit ServerImpl(ServerOptions options);
  ~ServerImpl();

  // Call before start(). An invalid path is recorded, and start() reports it.
  void add(std::string_view path, std::unique_ptr<WebSocketRoute> route);
  void add(std::string_view method, std::string_view path,
           std::function<void(const Request&, Responder)> answer);
  void add(std::string_view method, std::string_view path,
           std::function<void(const Request&, Responder, BodyReader)> answer, BodyOptions options);
  void add_files(std::string_view path, FileOptions options);
  void admit(std::function<std::optional<Response>(const Request&)> decide) {
    routes_.admit = std::move(decide);
  }
  void add_rpc(std::expected<RpcEntry, std::string> entry);  // the error is recorded, too

  // Each may be called only once, in this order.
  void add_hub(HubOptions options);
  void add_streams(StreamsOptions options);

  std::expected<void, Error> start();
  void run();
  std::size_t stop(const StopOptions& options) { return lifecycle_.stop(options); }
  // Like stop() with no time; nothing runs any more when it returns.
  void destroy();

  // After start(); any thread.
  PostResult publish(std::string_view topic, const Frame& frame, const PublishOptions& options);
  PostResult for_each_session(std::function<void(Session&)> task);
  PostResult post(SessionId id, UniqueFunction<void(Session&)> task);
  PublishResult publish(const std::shared_ptr<pubsub::Topic>& topic, SharedBytes payload,
                        pubsub::Receipt receipt);
  void respond(SessionId id, Response response);
  BodyWriter start_body(SessionId id, Response head, std::optional<std::uint64_t> length);
  // Later runs the task on the request's loop with its connection, if it still exists.
  void post_to_request(SessionId id, UniqueFunction<void(session::HttpConnection&)> task);
  // Later passes the handler to the channel on the request's loop.
  void read_body(SessionId id, std::shared_ptr<RequestBodyChannel> channel,
                 UniqueFunction<void(const BodyPiece&)> handler);
  // Ends the message of a MessageWriter that was destroyed on another thread.
  void abandon_message(SessionId id);
  // Later runs the task on a loop, from the start of all loops on. False: the loop has ended, or (offer) the server
  // stops or the loop's mailbox is full.
  bool post_to_loop(std::size_t loop, UniqueFunction<void(LoopContext&)> task);
  bool offer_to_loop(std::size_t loop, UniqueFunction<void(LoopContext&)> task);
  ServerStats stats() const;
  std::uint64_t refused_tasks() const { return refused_tasks_.load(std::memory_order_relaxed); }

  std::expected<void, Error> reload_certificates();
  std::vector<std::string> addresses() const;
  std::uint16_t port() const;
  std::vector<std::pair<std::string_view, std::uint64_t>> refused_connections() const;
  std::size_t loop_count() const { return loop_contexts_.size(); }
  std::string_view loop_name() const { return server_ ? server_->loop_name() : std::string_view(); }

  // Before start() as well.
  ServerTimers& timers() { return timers_; }

  // No handler of a timer starts, and nothing is published or posted, in any other state.
  bool is_running() const { return lifecycle_.is_running(); }

  // Used by the mounts.
  const ServerOptions& options() const { return options_; }
  const session::SessionSettings& session_settings() const { return session_settings_; }
  const Routes& routes() const { return routes_; }
  pubsub::Hub* hub() const { return hub_ == nullptr ? nullptr : &hub_->hub; }  // null: no hub
  ServerStreams* streams() const { return streams_.get(); }                    // null: no streams
  Responder responder_for(SessionId id) { return {weak_from_this(), id.loop, id.slot, id.generation}; }
  std::atomic<std::size_t> open_sessions = 0;
  std::atomic<std::uint64_t> opened_sessions = 0;

 private:
  struct HubOfServer final : pubsub::HubLoops {
    HubOfServer(ServerImpl& its_core, HubOptions options) : impl(its_core), hub(options, random) {}
    std::size_t count() const override { return impl.loop_contexts_.size(); }
    bool post(std::size_t loop, Task task) override;

    ServerImpl& impl;
    SystemRandom random;
    pubsub::Hub hub;
  };

  void add(RequestEntry entry, std::string_view path);
  std::optional<Error> check() const;
  std::expected<std::vector<server::ListenerOptions>, Error> listener_options() const;
  std::expected<void, Error> open_files();
  std::expected<void, Error> start_server();
  // Answers to requests are still delivered while the server stops.
  bool has_loops() const { return lifecycle_.has_loops(); }
  // The one of the calling thread, if that is a loop of this server; otherwise null.
  LoopContext* own_loop_context() const;
  PostResult counted(net::PostResult result);

  const ServerOptions options_;
  Routes routes_;
  session::SessionSettings session_settings_;

  Lifecycle lifecycle_;                      // must outlive the loops
  ServerTimers timers_{*this};               // must outlive the loops
  server::Listeners listeners_;              // from start() on
  std::unique_ptr<HubOfServer> hub_;         // must outlive the loops' tasks
  std::unique_ptr<ServerStreams> streams_;   // must outlive the loops, too
  std::unique_ptr<session::Server> server_;  // from start() on
  std::vector<LoopContext*> loop_contexts_;  // each set by its loop's thread, before any client is served
  std::atomic<std::uint64_t> refused_tasks_ = 0;
};

}  // namespace fanfare::api
