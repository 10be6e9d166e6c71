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
// Handlers must not block: everyone on the loop waits. What a handler throws ends the process, but
// for std::bad_alloc: that closes the handler's connection, with a line in the log.
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

// What a route does, whatever its data are.
class FANFARE_EXPORT WebSocketRoute {
 public:
  virtual ~WebSocketRoute() = default;
  // The session that the handlers are called with; null: one without data.
  virtual Expected<std::unique_ptr<Session>, Response> upgrade(const Request& request) const = 0;
  virtual void open(Session& session) const = 0;
  virtual void message(Session& session, const Message& message) const = 0;
  virtual void drain(Session& session) const = 0;
  virtual void pong(Session& session, Bytes payload) const = 0;
  virtual void lagged(Session& session, std::string_view topic, std::uint64_t missed) const = 0;
  virtual void missed(Session& session, std::string_view topic, const Missed& missed) const = 0;
  virtual void notice(Session& session, std::string_view topic, TopicNotice notice) const = 0;
  virtual void close(Session& session, const Close& close) const = 0;

  std::vector<std::string> subprotocols;
  bool subprotocol_required = false;
  std::vector<std::string> origins;
};

template <typename Data>
class TypedRoute;

}  // namespace api

// What handlers of WebSocket<Data> get: a Session, with data() when Data is not void.
template <typename Data>
using SessionOf = std::conditional_t<std::is_void_v<Data>, Session, SessionWith<Data>>;

// One WebSocket route. Every member may be left out. Data is what the program keeps with each session.
template <typename Data = void>
struct WebSocket {
  // RFC6455§4.2.2: in order of our preference; the first that the client offers is agreed on.
  std::vector<std::string> subprotocols = {};
  bool subprotocol_required = false;  // refuse (400) who offers none of them
  // RFC6455§10.2: which pages may connect: "https://example.com", "https://*.example.com", "*". Empty: all.
  // Clients that are not browsers send no Origin and are let in.
  std::vector<std::string> origins = {};

  // Lets the client in with the data of its session, or answers with a response (Unexpected, or
  // std::unexpected in C++23). Left out: everyone comes in, with a default Data. Asked only when the
  // handshake holds, origin and subprotocol included.
  std::function<Expected<Data, Response>(const Request&)> upgrade = {};
  std::function<void(SessionOf<Data>&)> open = {};
  std::function<void(SessionOf<Data>&, const Message&)> message = {};
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

  // After start(): "127.0.0.1:9001", "[::1]:9001", "unix:/run/fanfare.sock".
  std::vector<std::string> addresses() const;
  std::uint16_t port() const;          // 0 for a Unix socket
  std::string_view loop_name() const;  // "io_uring" or "epoll"
  std::size_t session_count() const;   // open WebSockets; any thread
  // How many connections were dropped before their first request, by each of the reasons there are:
  // "handshake_timeout", "address_rate" and so on (docs/metrics.md). Any thread.
  std::vector<std::pair<std::string_view, std::uint64_t>> refused_connections() const;

  // To every session subscribed to the topic, on every loop; encoded once. Any thread, after start(). What
  // one thread publishes arrives in its order. In a handler it is delivered to the sessions of the handler's
  // loop before the call returns. Refused, it reaches nobody, on no loop, and may be tried again.
  PostResult publish(std::string_view topic, std::string_view text) {
    return publish(topic, Frame::text(text));
  }
  PostResult publish(std::string_view topic, Bytes binary) { return publish(topic, Frame::binary(binary)); }
  PostResult publish(std::string_view topic, const Frame& frame);

  // Runs the task with the session on its loop's thread, later; not at all when it is gone, or when the
  // server stops. Any thread. A task that is not run is destroyed, with what it has captured: in the call
  // when it is refused, else on the loop's thread, when it ends at the latest.
  PostResult post(SessionId id, UniqueFunction<void(Session&)> task);

  // How many calls of the two were refused as full. Any thread.
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
  void open(Session& session) const override { call(route_.open, session); }
  void message(Session& session, const Message& message) const override {
    call(route_.message, session, message);
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
