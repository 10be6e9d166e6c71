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
#include "api/routes.h"
#include "api/server_hub.h"
#include "api/server_timers.h"
#include "fanfare/server.h"
#include "fanfare/streams.h"
#include "fanfare/unique_function.h"
#include "pubsub/hub.h"
#include "server/listener.h"
#include "session/server.h"

namespace fanfare {
struct CanvasOptions;
}  // namespace fanfare

namespace fanfare::api {

class ServerCanvas;
struct ServerStreams;

class ServerImpl : public std::enable_shared_from_this<ServerImpl> {
 public:
  explicit ServerImpl(ServerOptions options);
  ~ServerImpl();

  // Call before start(), which reports what could not be added.
  void add(std::string_view path, std::unique_ptr<WebSocketRoute> route);
  void add(std::string_view method, std::string_view path,
           std::function<void(const Request&, Responder)> answer);
  void add(std::string_view method, std::string_view path,
           std::function<void(const Request&, Responder, BodyReader)> answer, BodyOptions options);
  void add_files(std::string_view path, FileOptions options);
  void admit(std::function<std::optional<Response>(const Request&)> decide) {
    routes_for("Server::admit()").admit(std::move(decide));
  }
  void add_rpc(std::expected<RpcEntry, std::string> entry);

  // Each may be called only once, in this order.
  void add_hub(HubOptions options);
  void add_streams(StreamsOptions options);
  // Once.
  void add_canvas(CanvasOptions options);

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
  // Before start().
  bool is_idle() const { return lifecycle_.is_idle(); }

  // Used by the mounts.
  const ServerOptions& options() const { return options_; }
  const session::SessionSettings& session_settings() const { return session_settings_; }
  const Routes& routes() const { return routes_; }
  ServerHub* server_hub() const { return hub_.get(); }  // null: no hub
  pubsub::Hub* hub() const { return hub_ == nullptr ? nullptr : &hub_->hub; }
  ServerStreams* streams() const { return streams_.get(); }  // null: no streams
  ServerCanvas* canvas() const { return canvas_.get(); }     // null: no canvas
  Responder responder_for(SessionId id) { return {weak_from_this(), id.loop, id.slot, id.generation}; }
  std::atomic<std::size_t> open_sessions = 0;
  std::atomic<std::uint64_t> opened_sessions = 0;

 private:
  // The routes, which are set up before start(); otherwise the process ends with a message.
  Routes& routes_for(std::string_view call);
  std::optional<std::string> find_problem() const;
  std::expected<void, Error> start_server();
  // Answers to requests are still delivered while the server stops.
  bool has_loops() const { return lifecycle_.has_loops(); }
  // The one of the calling thread, if that is a loop of this server; otherwise null.
  LoopContext* own_loop_context() const;
  PostResult counted(net::PostResult result);

  const ServerOptions options_;
  const session::SessionSettings session_settings_;
  Routes routes_;

  Lifecycle lifecycle_;                      // must outlive the loops
  ServerTimers timers_{*this};               // must outlive the loops
  server::Listeners listeners_;              // from start() on
  std::unique_ptr<ServerHub> hub_;           // must outlive the loops' tasks
  std::unique_ptr<ServerStreams> streams_;   // must outlive the loops, too
  std::unique_ptr<ServerCanvas> canvas_;     // must outlive the loops, too
  std::unique_ptr<session::Server> server_;  // from start() on
  std::vector<LoopContext*> loop_contexts_;  // each set by its loop's thread, before any client is served
  std::atomic<std::uint64_t> refused_tasks_ = 0;
};

}  // namespace fanfare::api
