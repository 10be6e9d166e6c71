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
// Threads: routes are set up before start(), by one thread. A handler runs on the loop of its session; with
// more than one loop the same handler runs on several threads at once, so what it captures has to bear that.
// Handlers must not block: everyone on the loop waits.
//
// Exceptions: one that leaves a handler ends the handler's session with 1011 (RFC6455§7.4.1), or answers its
// request or upgrade with 500; the close handler of the session follows as always. One that leaves a close
// handler or a posted task has no further effect. Each is logged (handler_threw, with what()), a few lines a
// minute, and the process goes on. The peer does not learn what was thrown. A handler that is declared
// noexcept ends the process instead, at the place of the throw: for programs that want a core dump.
//
// No call of this library calls a handler before it returns: what the call brings about (the next request
// behind an answer, messages after a pause, the end of a session) comes to its handler from the loop, later.
// So handlers do not nest, and a lock may be held during a call.
//
// In a handler of any server or client, stop() begins the stop and returns. Two calls would wait for
// themselves and end the process with a message: run() and the destructor, in a handler of the same server.

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
class Core;
class UpgradeTicket;

// What a route does, whatever its data are.
class FANFARE_EXPORT WebSocketRoute {
 public:
  virtual ~WebSocketRoute() = default;
  // The session that the handlers are called with; null: one without data.
  virtual Expected<std::unique_ptr<Session>, Response> upgrade(const Request& request) const = 0;
  // Whether decide() is asked instead.
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

// What handlers of WebSocket<Data> get: a Session, with data() when Data is not void.
template <typename Data>
using SessionOf = std::conditional_t<std::is_void_v<Data>, Session, SessionWith<Data>>;

// What an accepted handshake says besides its own fields.
struct UpgradeOptions {
  std::vector<Header> headers = {};  // of the 101, such as Set-Cookie; those of the handshake are left out
  // Instead of the one that was agreed on; one that the client offered (RFC6455§4.2.2), else 500 is answered.
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
  std::shared_ptr<PendingUpgrade> pending_;  // null: used
};
}  // namespace api

// The right to decide about one upgrade, once, now or later and on any thread. One that dies unused answers
// 500; one whose client has gone, or whose server has stopped, does nothing.
template <typename Data>
class Upgrade {
 public:
  explicit Upgrade(api::UpgradeTicket ticket) : ticket_(std::move(ticket)) {}

  // Opens the WebSocket; the open handler is called by the loop.
  template <typename Given = Data>
    requires(!std::is_void_v<Given>)
  void accept(Given data, UpgradeOptions options = {}) && {
    ticket_.accept(std::make_unique<SessionWith<Data>>(std::move(data)), std::move(options));
  }
  void accept(UpgradeOptions options = {}) &&
    requires(std::is_void_v<Data>)
  {
    ticket_.accept(nullptr, std::move(options));
  }
  void refuse(Response response) && { ticket_.refuse(std::move(response)); }

 private:
  api::UpgradeTicket ticket_;
};

// Counters of a server at one moment. They only grow, but for the first two.
struct ServerStats {
  std::size_t connections = 0;  // of all kinds, before and in their first request as well
  std::size_t sessions = 0;     // open WebSockets
  std::uint64_t sessions_opened = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;   // taken to be sent, pings too
  std::uint64_t bytes_received = 0;  // by WebSockets, without TLS and HTTP
  std::uint64_t turn_shares_spent =
      0;                            // times a session had to wait for its next turn (limits.*_per_turn_max)
  std::uint64_t refused_tasks = 0;  // as refused_tasks()
  std::uint64_t handler_exceptions = 0;  // of every server and client of the process
};

struct PublishOptions {
  SessionId except = {};  // not to this one: most often the session whose message is passed on
};

// One WebSocket route. Every member may be left out. Data is what the program keeps with each session.
template <typename Data = void>
struct WebSocket {
  // RFC6455§4.2.2: in order of our preference; the first that the client offers is agreed on.
  std::vector<std::string> subprotocols = {};
  bool subprotocol_required = false;  // refuse (400) who offers none of them
  // RFC6455§10.2: which pages may connect: "https://example.com", "https://*.example.com", "*". Empty: all.
  // Clients that are not browsers send no Origin and are let in.
  std::vector<std::string> origins = {};
  // Instead of ServerOptions::deflate. What all routes with the same settings keep counts against one
  // context_bytes_max for each loop.
  std::optional<Deflate> deflate = {};
  // With a chunk handler, instead of limits.message_bytes_max and limits.fragments_max: bytes of one message,
  // after inflation; past it the session ends with 1009. Zero: no limit, since nothing of a message is kept
  // here.
  std::size_t chunked_bytes_max = 0;

  // Lets the client in with the data of its session, or answers with a response (Unexpected, or
  // std::unexpected in C++23). Left out: everyone comes in, with a default Data. Asked only when the
  // handshake holds, origin and subprotocol included.
  std::function<Expected<Data, Response>(const Request&)> upgrade = {};
  // Instead of `upgrade`, for a decision that takes time: a database, a token service. What the client sends
  // meanwhile waits. `upgrade` is not asked.
  std::function<void(const Request&, Upgrade<Data>)> decide = {};
  std::function<void(SessionOf<Data>&)> open = {};
  std::function<void(SessionOf<Data>&, const Message&)> message = {};
  // Instead of message: the pieces of messages as they come, so that a message may be larger than the memory
  // for it. One that came whole is a single chunk. A chunk has at most a receive buffer's worth of bytes (64
  // KiB), of a compressed message 2 MiB; pause() holds back the next one. Inflating a message that comes in
  // pieces takes 48 KiB of deflate.context_bytes_max.
  std::function<void(SessionOf<Data>&, const MessageChunk&)> chunk = {};
  // All that was queued when send() said congested has been sent.
  std::function<void(SessionOf<Data>&)> drain = {};
  std::function<void(SessionOf<Data>&, Bytes payload)> pong = {};
  // So many messages of a topic were dropped by its policy; the next one of the topic follows.
  std::function<void(SessionOf<Data>&, std::string_view topic, std::uint64_t missed)> lagged = {};
  // Of a hub topic: these events do not come, by the topic's policy or because they were lost on the way
  // here. The next event follows `missed.until`.
  std::function<void(SessionOf<Data>&, std::string_view topic, const Missed& missed)> missed = {};
  // Something became of a hub topic. After `removed` the session is not subscribed any more.
  std::function<void(SessionOf<Data>&, std::string_view topic, TopicNotice notice)> notice = {};
  // Once for each session that was opened. Nothing can be sent any more.
  std::function<void(SessionOf<Data>&, const Close&)> close = {};
};

class Hub;

namespace api {
// Null: the session is one of another route, with other data.
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
  // Options are checked by start().
  explicit Server(ServerOptions options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // stop() without time to drain, when it is still running; waits for the loops' threads, so that no handler
  // runs when it returns. Not in one of its own handlers, and not by what one of its tasks has captured.
  ~Server();

  // A route for upgrades. A path is "/", or segments of literal text and {name}: "/chat/{room}". The first
  // route that fits, in the order of the calls, is taken. A plain request to it is answered 426.
  template <typename Data = void>
  void websocket(std::string_view path, std::type_identity_t<WebSocket<Data>> route) {
    add_websocket(path, std::make_unique<api::TypedRoute<Data>>(std::move(route)));
  }

  // A route for requests. GET answers HEAD, too. Paths without a route are 404, other methods 405.
  void http(std::string_view method, std::string_view path, std::function<Response(const Request&)> answer);
  void http(std::string_view method, std::string_view path,
            std::function<void(const Request&, Responder)> answer);

  // Files under a path: files("/app", {.directory = "web"}) answers GET and HEAD of /app and what is below.
  // start() says so when the directory cannot be opened.
  void files(std::string_view path, FileOptions options);

  // Binds and starts the loops; connections are served when it returns. Nothing runs after an error. Nobody
  // is accepted before all loops are there, so handlers may use the whole server, even before start()
  // returns. A server starts once: wrong_state after that, stopped or not.
  [[nodiscard]] Expected<void, Error> start();
  // Waits until stop() was called and is done. Returns at once when nothing runs.
  void run();
  // Refuses new connections, closes the open ones with 1012 and waits for them, at most as long as the
  // deadline; the rest is dropped. A request under way may still be answered, by its Responder too, and
  // counts as done when the peer's system has the answer. What was published and posted before is delivered
  // first; with no time (zero or less) it is dropped. Any thread. Returns how many connections were dropped.
  //
  // Several threads may call it: all wait, the earliest deadline holds, and the first gets the number, the
  // others 0. In a handler it returns 0 at once; run() on another thread returns when all is done.
  std::size_t stop(std::chrono::milliseconds deadline = std::chrono::seconds(5));

  // Reads the files of options.tls again, for connections from here on; those that are there keep what they
  // began with. After an error the old certificate stays. Any thread; blocks for the files.
  [[nodiscard]] Expected<void, Error> reload_certificates();

  // After start(): "127.0.0.1:9001", "[::1]:9001", "unix:/run/fanfare.sock"; that of ServerOptions first, then
  // more_listeners in their order.
  std::vector<std::string> addresses() const;
  std::uint16_t port() const;          // of the first; 0 for a Unix socket
  std::string_view loop_name() const;  // "io_uring" or "epoll"
  std::size_t session_count() const;   // open WebSockets; any thread
  // Any thread, before start() and after stop(), too. It takes a lock that no handler's path takes.
  ServerStats stats() const;
  // How many connections were dropped before their first request, by each of the reasons there are:
  // "handshake_timeout", "address_rate" and so on (docs/metrics.md). Any thread.
  std::vector<std::pair<std::string_view, std::uint64_t>> refused_connections() const;

  // To every session subscribed to the topic, on every loop; encoded once. Any thread, after start(). What
  // one thread publishes arrives in its order. In a handler it is delivered to the sessions of the handler's
  // loop before the call returns. Refused, it reaches nobody, on no loop, and may be tried again.
  PostResult publish(std::string_view topic, std::string_view text, const PublishOptions& options = {}) {
    return publish(topic, Frame::text(text), options);
  }
  PostResult publish(std::string_view topic, Bytes binary, const PublishOptions& options = {}) {
    return publish(topic, Frame::binary(binary), options);
  }
  PostResult publish(std::string_view topic, const Frame& frame, const PublishOptions& options = {});

  // Runs the task with the session on its loop's thread, later; not at all when it is gone, or when the
  // server stops. Any thread. A task that is not run is destroyed, with what it has captured: in the call
  // when it is refused, else on the loop's thread, when it ends at the latest.
  PostResult post(SessionId id, UniqueFunction<void(Session&)> task);
  // The same for a session of WebSocket<Data>: server.post<Member>(id, [](auto& session) { ... }). When the
  // id is that of a session with other data, the task is not run.
  template <typename Data>
  PostResult post(SessionId id, std::type_identity_t<UniqueFunction<void(SessionOf<Data>&)>> task) {
    return post(id, [task = std::move(task)](Session& session) mutable {
      if (SessionOf<Data>* const typed = api::session_cast<Data>(session)) task(*typed);
    });
  }

  // Runs the task with every session that is open, on all loops, later. Any thread, after start(). Refused,
  // it is run with none. Each loop runs it on its own thread, at the same time as the others, a few hundred
  // sessions in a turn; sessions that come meanwhile, and those that a stop reaches first, are left out.
  PostResult for_each_session(std::function<void(Session&)> task);
  // The same with the sessions of WebSocket<Data> only.
  template <typename Data>
  PostResult for_each_session(std::type_identity_t<std::function<void(SessionOf<Data>&)>> task) {
    return for_each_session([task = std::move(task)](Session& session) {
      if (SessionOf<Data>* const typed = api::session_cast<Data>(session)) task(*typed);
    });
  }

  // How many calls of these were refused as full. Any thread.
  std::uint64_t refused_tasks() const;

 private:
  friend class Hub;
  void add_websocket(std::string_view path, std::unique_ptr<api::WebSocketRoute> route);

  std::shared_ptr<api::Core> core_;
};

// ---- nothing to read below: how the typed handlers meet the untyped engine ----

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
  // Every session of this route was made by upgrade().
  template <typename Handler, typename... Arguments>
  static void call(const Handler& handler, Session& session, Arguments&&... arguments) {
    if (handler) handler(static_cast<SessionOf<Data>&>(session), std::forward<Arguments>(arguments)...);
  }

  WebSocket<Data> route_;
};

}  // namespace fanfare
