#pragma once
// A WebSocket server with HTTP on the same port (RFC 6455, RFC 7692).
//
//   fanfare::Server server({.port = 9001});
//   server.websocket("/", {.message = [](fanfare::Session& session, const fanfare::Message& message) {
//     session.send(message);
//   }});
//   if (auto started = server.start(); !started) return fail(started.error());
//   server.run();
//
// Threads: one thread sets up the routes before start(). A handler runs on the loop of its session. With
// several loops, the same handler runs on several threads at once, so its captures must be thread-safe.
// Handlers must not block: they would delay everything on their loop.
//
// Exceptions: an exception that escapes a handler ends the session with 1011 (RFC6455§7.4.1), or answers the
// request or upgrade with 500. The session's close handler still runs. An exception that escapes a close
// handler or a posted task has no further effect. Each one is logged (handler_threw, with what()), a few
// lines per minute, and the process continues. The peer does not learn the exception's text. To get a core
// dump instead, declare the handler noexcept: the process then ends where the exception was thrown.
//
// No function of this library calls a handler before it returns. The loop calls handlers later for the
// effects of a call: the next request after a response, messages after a pause, the end of a session. So
// handlers do not nest, and a lock may be held during a call.
//
// In a handler of any server or client, stop() begins the stop and returns. In a handler of the same server,
// run() and the destructor would wait for themselves, so they end the process with a message.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/http.h"
#include "fanfare/options.h"
#include "fanfare/session.h"
#include "fanfare/unique_function.h"

namespace fanfare {

namespace api {
class ServerImpl;
class UpgradeTicket;

// The handlers of a route, independent of its Data type.
class FANFARE_EXPORT WebSocketRoute {
 public:
  virtual ~WebSocketRoute() = default;
  // Returns the session passed to the handlers; null: a session without data.
  virtual Expected<std::unique_ptr<Session>, Response> upgrade(const Request& request) const = 0;
  // Whether decide() is called instead of upgrade().
  virtual bool decides_later() const = 0;
  virtual void decide(const Request& request, UpgradeTicket ticket) const = 0;
  virtual void open(Session& session) const = 0;
  virtual void message(Session& session, const Message& message) const = 0;
  virtual void chunk(Session& session, const MessageChunk& chunk) const = 0;
  virtual void drain(Session& session) const = 0;
  virtual void pong(Session& session, Bytes payload) const = 0;
  virtual void lagged(Session& session, std::string_view topic, std::uint64_t missed) const = 0;
  virtual void missed(Session& session, std::string_view topic, const Missed& missed) const = 0;
  virtual void notice(Session& session, std::string_view topic, TopicNotice notice) const = 0;
  virtual void close(Session& session, const Close& close) const = 0;
  // An event of a hub's topic was sent to the session. Called if counts_events is set.
  virtual void event_sent(Session& /*session*/, std::size_t /*bytes*/) const {}

  bool counts_events = false;
  std::vector<std::string> subprotocols;
  bool subprotocol_required = false;
  std::vector<std::string> origins;
  std::optional<Deflate> deflate;
  bool has_message_handler = false;
  bool has_chunk_handler = false;
  std::size_t chunked_bytes_max = 0;
};

template <typename Data>
class TypedRoute;

}  // namespace api

// The session type passed to handlers of WebSocket<Data>: a Session, with data() unless Data is void.
template <typename Data>
using SessionOf = std::conditional_t<std::is_void_v<Data>, Session, SessionWith<Data>>;

// Additional fields of the 101 response.
struct UpgradeOptions {
  std::vector<Header> headers = {};  // such as Set-Cookie; the handshake's own fields are omitted
  // Replaces the negotiated subprotocol. It must be one that the client offered (RFC6455§4.2.2); otherwise
  // 500 is answered.
  std::optional<std::string> subprotocol = {};
};

namespace api {
class PendingUpgrade;
// The untyped half of Upgrade.
class FANFARE_EXPORT UpgradeTicket {
 public:
  explicit UpgradeTicket(std::shared_ptr<PendingUpgrade> pending) : pending_(std::move(pending)) {}
  UpgradeTicket(UpgradeTicket&&) noexcept = default;
  UpgradeTicket& operator=(UpgradeTicket&& other) noexcept;
  UpgradeTicket(const UpgradeTicket&) = delete;
  UpgradeTicket& operator=(const UpgradeTicket&) = delete;
  ~UpgradeTicket();

  void accept(std::unique_ptr<Session> with_data, UpgradeOptions options);
  void refuse(Response response);

 private:
  std::shared_ptr<PendingUpgrade> pending_;  // null after use
};
}  // namespace api

// The right to accept or refuse one upgrade, once, immediately or later, on any thread. An Upgrade destroyed
// unused answers with 500. It does nothing if its client has disconnected or its server has stopped.
template <typename Data>
class Upgrade {
 public:
  explicit Upgrade(api::UpgradeTicket ticket) : ticket_(std::move(ticket)) {}

  // Opens the WebSocket; the loop then calls the open handler.
  template <typename Given = Data>
    requires(!std::is_void_v<Given>)
  void accept(Given data, UpgradeOptions options = {}) && {
    ticket_.accept(std::make_unique<SessionWith<Data>>(std::move(data)), std::move(options));
  }
  template <typename Given = Data>
    requires(std::is_void_v<Given>)
  void accept(UpgradeOptions options = {}) && {
    ticket_.accept(nullptr, std::move(options));
  }
  void refuse(Response response) && { ticket_.refuse(std::move(response)); }

 private:
  api::UpgradeTicket ticket_;
};

// Counters of a server at one moment. All but the first two only grow.
struct ServerStats {
  std::size_t connections = 0;  // of all kinds, including those before their first request
  std::size_t sessions = 0;     // open WebSockets
  std::uint64_t sessions_opened = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;   // accepted for sending, including pings
  std::uint64_t bytes_received = 0;  // by WebSockets, without TLS and HTTP
  std::uint64_t turn_shares_spent =
      0;                            // times a session had to wait for its next turn (limits.*_per_turn_max)
  std::uint64_t refused_tasks = 0;  // as refused_tasks()
  std::uint64_t handler_exceptions = 0;  // of every server and client of the process
};

// Identifies a server's timer for Server::cancel(); converts to false if no timer was set. Never reused.
struct ServerTimer {
  std::uint64_t number = 0;
  explicit operator bool() const { return number != 0; }
};

struct TimerOptions {
  // The loop whose thread calls the handler, modulo Server::loop_count().
  std::size_t loop = 0;
};

struct StopOptions {
  // How long stop() waits in all, including the spread; remaining connections are then dropped.
  std::chrono::milliseconds deadline = std::chrono::seconds(5);
  // Not zero: the sessions are closed one after another, evenly over this time, so that their clients do not all
  // connect to another server at once. Meanwhile no connection is accepted, and everything else works as before:
  // messages, requests, publishes, posts, timers. The stop continues once all have been closed. At most the
  // deadline counts; leave time for the last sessions to end.
  std::chrono::milliseconds spread = std::chrono::milliseconds::zero();
};

struct PublishOptions {
  SessionId except = {};  // skip this session, usually the sender of the message
};

// One WebSocket route. Every member is optional. Data is the program's own state for each session.
template <typename Data = void>
struct WebSocket {
  // RFC6455§4.2.2: in our order of preference; the first one that the client offers is used.
  std::vector<std::string> subprotocols = {};
  bool subprotocol_required = false;  // reject (400) clients that offer none of them
  // RFC6455§10.2: origins that may connect: "https://example.com", "https://*.example.com", "*". Empty: all.
  // Clients other than browsers send no Origin and are accepted.
  std::vector<std::string> origins = {};
  // Replaces ServerOptions::deflate. The contexts of all routes with equal settings count against one
  // context_bytes_max for each loop.
  std::optional<Deflate> deflate = {};
  // With a chunk handler this replaces limits.message_bytes_max and limits.fragments_max. It limits the bytes
  // of one message after inflation; beyond it the session ends with 1009. Zero: no limit, since the library
  // does not store the message.
  std::size_t chunked_bytes_max = 0;

  // Accepts the client by returning the session's data, or rejects it by returning a response (Unexpected, or
  // std::unexpected in C++23). Not set: every client is accepted, with a default Data. It is called only
  // after the handshake has been validated, including origin and subprotocol.
  std::function<Expected<Data, Response>(const Request&)> upgrade = {};
  // Replaces `upgrade`, for decisions that take time: a database, a token service. Data that the client sends
  // meanwhile waits. `upgrade` is not called.
  std::function<void(const Request&, Upgrade<Data>)> decide = {};
  std::function<void(SessionOf<Data>&)> open = {};
  std::function<void(SessionOf<Data>&, const Message&)> message = {};
  // Replaces `message`: gets the pieces of messages as they arrive, so that a message may be larger than
  // memory. A message that arrived whole is a single chunk. A chunk has at most the size of a receive buffer
  // (up to 128 KiB), or 2 MiB of a compressed message. pause() holds back the next one. Inflating a message that
  // comes in pieces takes 48 KiB of deflate.context_bytes_max.
  std::function<void(SessionOf<Data>&, const MessageChunk&)> chunk = {};
  // Everything that was queued when send() returned congested has been sent.
  std::function<void(SessionOf<Data>&)> drain = {};
  std::function<void(SessionOf<Data>&, Bytes payload)> pong = {};
  // The topic's policy dropped `missed` messages; the topic's next message follows.
  std::function<void(SessionOf<Data>&, std::string_view topic, std::uint64_t missed)> lagged = {};
  // For a hub topic: these events will not come, because of the topic's policy or because they were lost on
  // the way here. The next event follows `missed.until`.
  std::function<void(SessionOf<Data>&, std::string_view topic, const Missed& missed)> missed = {};
  // The state of a hub topic has changed. After `removed` the session is no longer subscribed.
  std::function<void(SessionOf<Data>&, std::string_view topic, TopicNotice notice)> notice = {};
  // Once for each session that was opened. Nothing can be sent any more.
  std::function<void(SessionOf<Data>&, const Close&)> close = {};
};

class Hub;

namespace api {
// Null: the session belongs to another route, with another Data type.
template <typename Data>
SessionOf<Data>* session_cast(Session& session) {
  if constexpr (std::is_void_v<Data>) {
    return &session;
  } else {
    return dynamic_cast<SessionWith<Data>*>(&session);
  }
}
}  // namespace api

class FANFARE_EXPORT Server {
 public:
  // start() checks the options.
  explicit Server(ServerOptions options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Calls stop() without time to drain if the server is still running. It waits for the loops' threads, so no
  // handler runs after it returns. Do not destroy the server in one of its own handlers, or from the captures
  // of one of its tasks.
  ~Server();

  // Decides about every request and upgrade before its route does: authentication in one place, also for files and
  // streams. A Response refuses it; nothing admits it. Call it once, before start(). Runs on the loop's thread. A
  // request that no route takes (404, 405, 426) is answered without it.
  void admit(std::function<std::optional<Response>(const Request&)> decide);

  // Adds a route for upgrades. A path is "/", or segments of literal text and {name}: "/chat/{room}". The
  // first matching route is used, in the order of the calls. A plain request to it is answered with 426.
  template <typename Data = void>
  void websocket(std::string_view path, std::type_identity_t<WebSocket<Data>> route) {
    add_websocket(path, std::make_unique<api::TypedRoute<Data>>(std::move(route)));
  }

  // Adds a route for requests. A GET route also answers HEAD. Paths without a route get 404, other methods
  // 405.
  void http(std::string_view method, std::string_view path, std::function<Response(const Request&)> answer);
  void http(std::string_view method, std::string_view path,
            std::function<void(const Request&, Responder)> answer);
  // As above, for uploads: the handler is called when the head of a request has arrived, and takes the body
  // in pieces. Request::body() is empty. It may answer at any time, even before the body is complete. The rest
  // is then not delivered; if it is longer than 64 KiB, the connection closes after the response.
  void http(std::string_view method, std::string_view path,
            std::function<void(const Request&, Responder, BodyReader)> answer, BodyOptions options = {});

  // Serves files under a path: files("/app", {.directory = "web"}) answers GET and HEAD for /app and
  // everything below it. start() reports a directory that cannot be opened.
  void files(std::string_view path, FileOptions options);

  // Binds and starts the loops; when it returns, connections are served. After an error nothing is running.
  // No connection is accepted before all loops exist, so handlers may use the whole server even before
  // start() returns. A server starts only once: later calls return wrong_state, even after a stop.
  [[nodiscard]] Expected<void, Error> start();
  // Waits until stop() was called and has completed. Returns immediately if the server is not running.
  void run();
  // Rejects new connections, closes open ones with 1012 and waits for them until the deadline; the rest are
  // dropped. Any thread. Returns the number of dropped connections. Requests in progress may still be
  // answered, also by a Responder. They are complete when the peer's system has received the response.
  // Earlier publishes and posts are delivered first; with a deadline of zero or less they are dropped.
  //
  // Several threads may call it. All wait, the earliest deadline applies, and the first caller gets the
  // number; the others get 0. In a handler it returns 0 immediately; run() on another thread returns when the
  // stop is complete.
  //
  // A call without a spread, or whose deadline is before the end of an earlier one's, ends that spread.
  std::size_t stop(std::chrono::milliseconds deadline = std::chrono::seconds(5));
  std::size_t stop(const StopOptions& options);

  // Reads the files of options.tls again, for new connections only. After an error the old certificate stays
  // in use. Any thread; blocks while reading the files.
  [[nodiscard]] Expected<void, Error> reload_certificates();

  // After start(): "127.0.0.1:9001", "[::1]:9001", "unix:/run/fanfare.sock". The address of ServerOptions is
  // first, followed by more_listeners in order.
  std::vector<std::string> addresses() const;
  std::uint16_t port() const;          // of the first address; 0 for a Unix socket
  std::size_t loop_count() const;      // 0 before start()
  std::string_view loop_name() const;  // "io_uring" or "epoll"
  std::size_t session_count() const;   // open WebSockets; any thread
  // Any thread, before start() and after stop(), too. It takes a lock that no handler's path takes.
  ServerStats stats() const;
  // How many connections were dropped before their first request, by reason:
  // "handshake_timeout", "address_rate" and so on (docs/metrics.md). Any thread.
  std::vector<std::pair<std::string_view, std::uint64_t>> refused_connections() const;

  // Sends to every session subscribed to the topic, on every loop; encoded once. Any thread, after start().
  // Messages from one thread arrive in order. In a handler, the sessions of that handler's loop receive it
  // before the call returns. A rejected publish reaches no session on any loop and may be retried.
  PostResult publish(std::string_view topic, std::string_view text, const PublishOptions& options = {}) {
    return publish(topic, Frame::text(text), options);
  }
  PostResult publish(std::string_view topic, Bytes binary, const PublishOptions& options = {}) {
    return publish(topic, Frame::binary(binary), options);
  }
  PostResult publish(std::string_view topic, const Frame& frame, const PublishOptions& options = {});

  // Runs the task later with the session, on its loop's thread. The task does not run if the session has
  // ended or the server stops. Any thread. A task that is not run is destroyed with its captures. That
  // happens in this call if it is rejected, otherwise on the loop's thread, no later than when the loop ends.
  PostResult post(SessionId id, UniqueFunction<void(Session&)> task);
  // As above, for a session of WebSocket<Data>: server.post<Member>(id, [](auto& session) { ... }). The task
  // does not run if the session has another Data type.
  template <typename Data>
  PostResult post(SessionId id, std::type_identity_t<UniqueFunction<void(SessionOf<Data>&)>> task) {
    return post(id, [task = std::move(task)](Session& session) mutable {
      if (SessionOf<Data>* const typed = api::session_cast<Data>(session)) task(*typed);
    });
  }

  // Runs the task later with every open session, on all loops. Any thread, after start(). A rejected task
  // runs with none. Each loop runs it on its own thread, concurrently with the others, for a few hundred
  // sessions per turn. Sessions that open meanwhile are skipped, as are sessions already closed by a stop.
  PostResult for_each_session(std::function<void(Session&)> task);
  // As above, for the sessions of WebSocket<Data> only.
  template <typename Data>
  PostResult for_each_session(std::type_identity_t<std::function<void(SessionOf<Data>&)>> task) {
    return for_each_session([task = std::move(task)](Session& session) {
      if (SessionOf<Data>* const typed = api::session_cast<Data>(session)) task(*typed);
    });
  }

  // Calls the handler once, on the thread of one loop, when the delay has passed (to within a few milliseconds),
  // and never within this call. Before start(), the delay begins with start(). No handler is called once stop()
  // has begun, except during its spread. Any thread.
  //
  // The captures of a handler are destroyed after its last call, in cancel(), or when its loop ends. An
  // exception of a handler is logged; a timer of call_every() continues. Refused (false): limits.timers_max
  // timers are waiting, the server has stopped, the loop's mailbox is full, or the handler is empty. A refused
  // handler is destroyed in this call.
  ServerTimer call_after(std::chrono::milliseconds delay, UniqueFunction<void()> handler,
                         const TimerOptions& options = {});
  // As above, but periodically: first after one interval, and then at its multiples. Calls missed because the
  // loop was busy are skipped. An interval below 1 ms counts as 1 ms.
  ServerTimer call_every(std::chrono::milliseconds interval, UniqueFunction<void()> handler,
                         const TimerOptions& options = {});
  // Stops further calls. If the handler is running on its loop at the moment, this does not wait for it.
  // False: it has already finished or was cancelled. Any thread, the handler's included.
  bool cancel(ServerTimer timer);

  // The number of publish(), post(), for_each_session() and timer calls rejected as full. Any thread.
  std::uint64_t refused_tasks() const;

 private:
  friend class Hub;
  friend class Rpc;
  friend class Streams;
  friend class Canvas;
  void add_websocket(std::string_view path, std::unique_ptr<api::WebSocketRoute> route);

  std::shared_ptr<api::ServerImpl> impl_;
};

// ---- implementation: connects the typed handlers to the untyped engine ----

template <typename Data>
class api::TypedRoute final : public WebSocketRoute {
 public:
  explicit TypedRoute(WebSocket<Data> route) : route_(std::move(route)) {
    subprotocols = std::move(route_.subprotocols);
    subprotocol_required = route_.subprotocol_required;
    origins = std::move(route_.origins);
    deflate = route_.deflate;
    has_message_handler = static_cast<bool>(route_.message);
    has_chunk_handler = static_cast<bool>(route_.chunk);
    chunked_bytes_max = route_.chunked_bytes_max;
  }

  Expected<std::unique_ptr<Session>, Response> upgrade(const Request& request) const override {
    if constexpr (std::is_void_v<Data>) {
      if (route_.upgrade) {
        if (auto accepted = route_.upgrade(request); !accepted) return Unexpected(accepted.error());
      }
      return nullptr;
    } else {
      if (route_.upgrade) {
        auto accepted = route_.upgrade(request);
        if (!accepted) return Unexpected(std::move(accepted.error()));
        return std::make_unique<SessionWith<Data>>(*std::move(accepted));
      }
      if constexpr (std::is_default_constructible_v<Data>) {
        return std::make_unique<SessionWith<Data>>(Data());
      } else {
        return Unexpected(Response{.status = 500, .body = "this route has no upgrade handler\n"});
      }
    }
  }
  bool decides_later() const override { return static_cast<bool>(route_.decide); }
  void decide(const Request& request, UpgradeTicket ticket) const override {
    route_.decide(request, Upgrade<Data>(std::move(ticket)));
  }
  void open(Session& session) const override { call(route_.open, session); }
  void message(Session& session, const Message& message) const override {
    call(route_.message, session, message);
  }
  void chunk(Session& session, const MessageChunk& chunk) const override {
    call(route_.chunk, session, chunk);
  }
  void drain(Session& session) const override { call(route_.drain, session); }
  void pong(Session& session, Bytes payload) const override { call(route_.pong, session, payload); }
  void lagged(Session& session, std::string_view topic, std::uint64_t missed) const override {
    call(route_.lagged, session, topic, missed);
  }
  void missed(Session& session, std::string_view topic, const Missed& missed) const override {
    call(route_.missed, session, topic, missed);
  }
  void notice(Session& session, std::string_view topic, TopicNotice notice) const override {
    call(route_.notice, session, topic, notice);
  }
  void close(Session& session, const Close& close) const override { call(route_.close, session, close); }

 private:
  // upgrade() created every session of this route.
  template <typename Handler, typename... Arguments>
  static void call(const Handler& handler, Session& session, Arguments&&... arguments) {
    if (handler) handler(static_cast<SessionOf<Data>&>(session), std::forward<Arguments>(arguments)...);
  }

  WebSocket<Data> route_;
};

}  // namespace fanfare
