#pragma once
// A server on one loop: its listeners, its sessions, its sites. Everything here runs on the loop's thread.

#include <cstddef>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "session/accept_gate.h"
#include "session/http_service.h"
#include "session/listener_context.h"
#include "session/session_table.h"

namespace fanfare::session {

struct LoopServerOptions {
  HttpSettings http;
  // The accuracy of heartbeats and deadlines.
  Duration sweep_interval = std::chrono::seconds(1);
  // Sockets of all kinds on this loop; further ones are accepted and closed immediately.
  std::size_t connections_max = Limits{}.connections_per_loop_max;
  // Shared with the other loops of a server, and must outlive them; null: the loop has its own, without
  // limits.
  AcceptGate* gate = nullptr;
  // The memory for messages and bodies that have not come whole, of all loops with the same one; must outlive them. Without
  // memory for more of it, a WebSocket is closed with 1013, and an HTTP request is answered 503. Null: no limit.
  ByteBudget* unfinished_input = nullptr;
  // Keeps ConnectionFacts: about 40 bytes a connection.
  bool keeps_facts = false;
};

class LoopServer {
 public:
  LoopServer(net::Loop& loop, LoopServerOptions options);
  LoopServer(const LoopServer&) = delete;
  LoopServer& operator=(const LoopServer&) = delete;
  // Closes the remaining sessions and calls on_close; the loop must not be running.
  ~LoopServer();

  // The site must outlive the server.
  void listen(net::Descriptor listening, HttpService& service, ListenerOptions options = {});
  // Serves a connection that was accepted elsewhere.
  void serve(net::Descriptor connected, HttpService& service) {
    serve(std::move(connected), context_of(service));
  }

  // Accepts no further connection from this listener, the how many-th of listen(), also not after listen_again(). Open WebSockets
  // continue; HTTP connections end after their next response. `shuts_down`: nobody else accepts from its socket, of which there are
  // copies. `until_unused` is released when no connection refers to the site any more, at the latest with this object.
  void remove_listener(std::size_t number, bool shuts_down,
                       std::shared_ptr<const void> until_unused = nullptr);

  // The HTTP connections of a removed listener end after their current response, and those without a request now.
  void end_http_of(std::size_t number);

  // Accepts no new connections from here on; open ones continue.
  void stop_listening();
  // Copies of the sockets that it listens on, each with the number of its listen() call.
  struct Listening {
    std::size_t number = 0;
    net::Descriptor socket;
  };
  std::expected<std::vector<Listening>, net::OsError> copy_sockets() const;
  // As stop_listening(), for sockets that another process continues with: the connections that this loop has already
  // accepted are served. HTTP connections end after their next response.
  void pass_on_listening();
  // After pass_on_listening(), because the other process did not continue: accepts with what copy_sockets() returned.
  void listen_again(std::vector<Listening> sockets);
  // stop_listening(), then ends every session: WebSockets with this close code, HTTP connections after the
  // current response.
  void drain(std::uint16_t code, std::string_view reason);

  // For all connections, from their next step on; the limits on heads apply to new connections.
  void set_http(const HttpSettings& settings) { options_.http = settings; }

  // Closes what is left, on_close included; the loop must not be running. The destructor does it, too.
  void close_all();

  SessionTable& sessions() { return sessions_; }
  net::Loop& loop() const { return sessions_.loop(); }
  // Connections rejected immediately: by a limit, or because the server stops. AcceptGate counts all
  // rejections by reason.
  const Counter& refused_connections() const { return refused_; }
  const AcceptGate& gate() const { return gate_; }

 private:
  void serve(net::Descriptor connected, ListenerContext& listener_context);
  void refuse(Refusal refusal);
  ListenerContext& context_of(HttpService& service);
  void listen_in(net::Descriptor listening, std::size_t number);
  void look_for_unused_later();
  void look_for_unused();

  LoopServerOptions options_;
  AcceptGate own_gate_;
  AcceptGate& gate_;
  std::list<ListenerContext> contexts_;  // sessions point into it
  ServerTable sessions_;
  // Of each listen() call.
  struct Numbered {
    net::ListenerId id;
    int fd;                    // the loop owns it
    ListenerContext* context;  // null: it was removed, and is not used any more
    bool is_removed = false;
    std::shared_ptr<const void> until_unused = nullptr;
  };
  std::vector<Numbered> listeners_;
  bool is_listening_ = false;
  std::vector<net::ListenerId> passed_on_;
  net::TimerId unused_timer_{};  // while a removed listener is in use
  Counter refused_;
  bool draining_ = false;
};

}  // namespace fanfare::session
