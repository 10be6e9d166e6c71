#include "session/loop_server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "session/arrival.h"
#include "session/http_connection.h"
#include "ws/close_code.h"

namespace fanfare::session {
namespace {

// How often it is looked whether a removed listener is still in use.
constexpr Duration kLookForUnused = std::chrono::milliseconds(100);

}  // namespace

LoopServer::LoopServer(net::Loop& loop, LoopServerOptions options)
    : options_(options),
      gate_(options.gate == nullptr ? own_gate_ : *options.gate),
      sessions_(loop, options.sweep_interval, gate_) {
  sessions_.unfinished().set_budget(options.unfinished_input);
  sessions_.keep_facts(options.keeps_facts);
}

LoopServer::~LoopServer() {
  close_all();
}

void LoopServer::close_all() {
  loop().cancel(unused_timer_);
  stop_listening();
  for (const net::ListenerId id : passed_on_) loop().stop_listening(id, net::LateConnections::dropped);
  passed_on_.clear();
  sessions_.close_all();
}

void LoopServer::listen(net::Descriptor listening, HttpService& service, ListenerOptions options) {
  ListenerContext& listener_context = contexts_.emplace_back(service, options_.http, std::move(options));
  listeners_.push_back({.id = {}, .fd = -1, .context = &listener_context});
  listen_in(std::move(listening), listeners_.size() - 1);
  is_listening_ = true;
}

void LoopServer::listen_in(net::Descriptor listening, std::size_t number) {
  Numbered& to = listeners_[number];
  to.fd = listening.get();
  // A system call less for each connection.
  to.context->inherits_no_delay = net::is_no_delay(to.fd);
  to.id = loop().listen(std::move(listening), [this, context = to.context](net::Descriptor connected) {
    serve(std::move(connected), *context);
  });
}

ListenerContext& LoopServer::context_of(HttpService& service) {
  const auto is_plain = [&](ListenerContext& listener_context) {
    return &listener_context.service == &service && listener_context.options.certificate == nullptr &&
           listener_context.options.proxy_protocol == ProxyProtocol::off;
  };
  const auto found = std::ranges::find_if(contexts_, is_plain);
  if (found != contexts_.end()) return *found;
  return contexts_.emplace_back(service, options_.http, ListenerOptions{});
}

void LoopServer::serve(net::Descriptor connected, ListenerContext& listener_context) {
  if (draining_) return refuse(Refusal::shutting_down);
  if (sessions_.size() >= options_.connections_max) return refuse(Refusal::loop_connections);
  if (const auto entered = gate_.enter(); !entered) return refuse(entered.error());
  Admission admission(gate_);
  // Behind a proxy, the PROXY header provides the address.
  if (gate_.limits_addresses() && listener_context.options.proxy_protocol == ProxyProtocol::off) {
    if (const auto address = net::peer_address(connected.get())) {
      const auto entered = gate_.enter_address(*address, loop().now());
      if (!entered) return refuse(entered.error());
      admission.set_ticket(*entered);
    }
  }
  if (!listener_context.inherits_no_delay) net::set_no_delay(connected.get());
  run_guarded("a new connection", [&] {
    loop().adopt(make_first_handler(sessions_, listener_context, std::move(admission)), std::move(connected));
  });
}

void LoopServer::refuse(Refusal refusal) {
  refused_.add();
  gate_.count(refusal);
}

void LoopServer::remove_listener(std::size_t number, bool shuts_down,
                                 std::shared_ptr<const void> until_unused) {
  Numbered& listener = listeners_[number];
  if (std::exchange(listener.is_removed, true)) return;
  listener.context->is_removed = true;
  listener.until_unused = std::move(until_unused);
  look_for_unused_later();
  if (!is_listening_) return;
  if (shuts_down) ::shutdown(listener.fd, SHUT_RDWR);
  loop().stop_listening(listener.id, net::LateConnections::taken);
  passed_on_.push_back(listener.id);
}

void LoopServer::end_http_of(std::size_t number) {
  const ListenerContext* const context = listeners_[number].context;
  sessions_.for_each_member([&](Member& member) {
    HttpConnection* const http = SessionTable::as_http(member);
    if (http != nullptr && http->is_of(context)) http->shut_down(ws::close_code::service_restart, {});
  });
}

// Not at once: a connection that the loop had accepted may still come.
void LoopServer::look_for_unused_later() {
  loop().cancel(unused_timer_);
  unused_timer_ = loop().call_after(kLookForUnused, [this] { look_for_unused(); });
}

void LoopServer::look_for_unused() {
  bool any = false;
  for (Numbered& listener : listeners_) {
    if (!listener.is_removed || listener.context == nullptr) continue;
    any = any || listener.context->is_in_use();
    if (listener.context->is_in_use()) continue;
    // What comes now would have nobody that serves it.
    if (std::erase(passed_on_, listener.id) > 0)
      loop().stop_listening(listener.id, net::LateConnections::dropped);
    contexts_.remove_if([&](const ListenerContext& one) { return &one == listener.context; });
    listener.context = nullptr;
    listener.until_unused.reset();
  }
  if (any) look_for_unused_later();
}

void LoopServer::stop_listening() {
  if (!std::exchange(is_listening_, false)) return;
  for (const Numbered& listener : listeners_) {
    if (!listener.is_removed) loop().stop_listening(listener.id, net::LateConnections::dropped);
  }
}

std::expected<std::vector<LoopServer::Listening>, net::OsError> LoopServer::copy_sockets() const {
  std::vector<Listening> sockets;
  for (std::size_t i = 0; is_listening_ && i < listeners_.size(); ++i) {
    if (listeners_[i].is_removed) continue;
    net::Descriptor copy(::fcntl(listeners_[i].fd, F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) return std::unexpected(net::last_error("fcntl"));
    sockets.push_back({.number = i, .socket = std::move(copy)});
  }
  return sockets;
}

void LoopServer::pass_on_listening() {
  if (!std::exchange(is_listening_, false)) return;
  for (const Numbered& listener : listeners_) {
    if (listener.is_removed) continue;
    loop().stop_listening(listener.id, net::LateConnections::taken);
    passed_on_.push_back(listener.id);
  }
  sessions_.end_http_after_responses(true);
}

void LoopServer::listen_again(std::vector<Listening> sockets) {
  if (is_listening_ || draining_) return;
  is_listening_ = true;
  sessions_.end_http_after_responses(false);
  for (Listening& one : sockets) {
    if (!listeners_[one.number].is_removed) listen_in(std::move(one.socket), one.number);
  }
}

void LoopServer::drain(std::uint16_t code, std::string_view reason) {
  stop_listening();
  draining_ = true;
  sessions_.for_each_member([&](Member& member) { member.shut_down(code, reason); });
}

}  // namespace fanfare::session
