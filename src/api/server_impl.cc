#include "api/server_impl.h"

#include <algorithm>
#include <utility>

#include "api/body_channel.h"
#include "api/border.h"
#include "api/connection.h"
#include "api/frame.h"
#include "api/listener_options.h"
#include "api/misuse.h"
#include "api/mounts.h"
#include "api/option_check.h"
#include "api/request_body_channel.h"
#include "api/rpc_mount.h"
#include "api/server_canvas.h"
#include "api/server_streams.h"
#include "api/session_walk.h"
#include "api/settings.h"
#include "base/guard.h"

namespace fanfare::api {
namespace {

Error bad_option(std::string message) {
  return {.kind = Error::Kind::bad_option, .message = std::move(message)};
}

Error from_system(const net::OsError& error) {
  return {.kind = Error::Kind::system, .message = error.message(), .system_code = error.code};
}

session::ServerOptions server_options(const ServerOptions& options) {
  const Limits& limits = options.limits;
  return {.loops = options.threads,
          .loop = {.kind = to_engine(options.loop),
                   .mailbox = {.tasks_max = limits.mailbox_tasks_max, .bytes_max = limits.mailbox_bytes_max},
                   .busy_poll = options.busy_poll},
          .loop_server = {.http = {.handshake_timeout = limits.handshake_timeout,
                                   .tls_timeout = limits.handshake_timeout,
                                   .request_timeout = limits.request_timeout,
                                   .idle_timeout = limits.idle_timeout,
                                   .drain_bytes_per_second_min = limits.drain_bytes_per_second_min,
                                   .outbox_bytes_high = limits.outbox_bytes_high,
                                   .body_outbox_bytes_max = limits.response_outbox_bytes_max,
                                   .requests_per_turn_max = limits.requests_per_turn_max,
                                   .head_bytes_max = limits.request_head_bytes_max,
                                   .header_count_max = limits.request_header_count_max,
                                   .body_bytes_max = limits.request_body_bytes_max},
                          .connections_max = limits.connections_per_loop_max},
          .accept = {.connections_max = limits.connections_max,
                     .per_address = {.connections_max = limits.connections_per_address_max,
                                     .connections_per_second = limits.connections_per_second_per_address}}};
}

constexpr std::string_view kRoutes = "Server::websocket() or http()";

}  // namespace

ServerImpl::~ServerImpl() = default;

ServerImpl::ServerImpl(ServerOptions options)
    : options_(saturated(std::move(options))),
      session_settings_(to_settings(options_.limits, options_.heartbeat)) {}

Routes& ServerImpl::routes_for(std::string_view call) {
  if (!lifecycle_.is_idle())
    end_for_misuse(std::string(call) + " after start()", "routes are set up before start()");
  return routes_;
}

void ServerImpl::add(std::string_view path, std::unique_ptr<WebSocketRoute> route) {
  routes_for(kRoutes).add(path, std::move(route));
}

void ServerImpl::add(std::string_view method, std::string_view path,
                     std::function<void(const Request&, Responder)> answer) {
  routes_for(kRoutes).add(path, {.path = {}, .method = std::string(method), .answer = std::move(answer)});
}

void ServerImpl::add(std::string_view method, std::string_view path,
                     std::function<void(const Request&, Responder, BodyReader)> answer, BodyOptions options) {
  routes_for(kRoutes).add(path, {.path = {},
                                 .method = std::string(method),
                                 .answer = {},
                                 .answer_in_pieces = std::move(answer),
                                 .body = options});
}

void ServerImpl::add_files(std::string_view path, FileOptions options) {
  routes_for(kRoutes).add_files(path, std::move(options));
}

void ServerImpl::add_rpc(std::expected<RpcEntry, std::string> entry) {
  routes_for("Rpc::serve()").add_rpc(std::move(entry));
}

std::optional<std::string> ServerImpl::find_problem() const {
  if (!routes_.problem().empty()) return routes_.problem();
  if (auto wrong = find_wrong_rpc(routes_, options_)) return wrong;
  return find_wrong_option(options_);
}

std::expected<void, Error> ServerImpl::reload_certificates() {
  if (!is_running() || !listeners_.has_certificates()) {
    return std::unexpected(Error{.kind = Error::Kind::wrong_state, .message = "no TLS server is running"});
  }
  const std::vector<std::string> failures = listeners_.reload_certificates();
  if (failures.empty()) return {};
  return std::unexpected(Error{.kind = Error::Kind::tls, .message = failures.front()});
}

std::expected<void, Error> ServerImpl::start() {
  if (!lifecycle_.begin_start()) {
    return std::unexpected(Error{.kind = Error::Kind::wrong_state,
                                 .message = "a server starts once: it was started already, make another"});
  }
  auto started = start_server();
  if (!started) {
    loop_contexts_.clear();
    server_.reset();
  }
  lifecycle_.end_start(/*has_failed=*/!started);
  return started;
}

std::expected<void, Error> ServerImpl::start_server() {
  if (auto problem = find_problem()) return std::unexpected(bad_option(*std::move(problem)));
  if (auto opened = routes_.open_files(); !opened)
    return std::unexpected(bad_option(std::move(opened.error())));
  auto options = listener_options(options_);
  if (!options) return std::unexpected(bad_option(std::move(options.error())));
  auto listeners = server::Listeners::prepare(*options);
  if (!listeners) return std::unexpected(std::move(listeners.error()));
  listeners_ = *std::move(listeners);
  server_ = std::make_unique<session::Server>(server_options(options_));
  const auto started = server_->start(
      listeners_.all(),
      [this](session::LoopServer& loop_server, std::size_t index) {
        auto services = make_http_services(*this, loop_server, static_cast<std::uint32_t>(index),
                                           listeners_.all().size());
        loop_contexts_.push_back(LoopContext::current());
        return services;
      },
      [this] {
        if (hub_ != nullptr) hub_->start();
        timers_.start();
        lifecycle_.enter_running(*server_, [this] {
          if (hub_ != nullptr) hub_->stop_relay();
        });
      });
  if (!started) return std::unexpected(from_system(started.error()));
  return {};
}

LoopContext* ServerImpl::own_loop_context() const {
  LoopContext* const here = LoopContext::current();
  return here != nullptr && &here->impl() == this ? here : nullptr;
}

void ServerImpl::run() {
  if (own_loop_context() != nullptr) {
    end_for_misuse("Server::run() in one of its handlers",
                   "a loop cannot wait for its own end; call it on another thread");
  }
  lifecycle_.run();
}

void ServerImpl::destroy() {
  if (own_loop_context() != nullptr) {
    end_for_misuse("~Server() in one of its handlers",
                   "a loop cannot wait for its own end; call stop() there and destroy the server elsewhere");
  }
  lifecycle_.stop({.deadline = std::chrono::milliseconds::zero()});
  lifecycle_.wait_for_end();
  if (hub_ != nullptr) hub_->stop_store();
}

PostResult ServerImpl::counted(net::PostResult result) {
  switch (result) {
    case net::PostResult::accepted:
      return PostResult::accepted;
    case net::PostResult::full:
      refused_tasks_.fetch_add(1, std::memory_order_relaxed);
      return PostResult::full;
    case net::PostResult::stopped:
      break;
  }
  return PostResult::stopped;
}

PostResult ServerImpl::publish(std::string_view topic, const Frame& frame, const PublishOptions& options) {
  const SharedBytes& bytes = EncodedFrame::bytes_of(frame);
  const LoopContext* const here = own_loop_context();
  // An accepted message enters every mailbox before the stop does. No handler runs while the lock is held.
  std::shared_lock lock(lifecycle_.publishing(), std::defer_lock);
  const bool is_for_others = here == nullptr || loop_contexts_.size() > 1;
  if (is_for_others) lock.lock();
  if (!is_running()) return PostResult::stopped;
  const std::size_t cost = topic.size() + bytes.size();
  const net::PostResult room =
      server_->reserve_on_all(cost, here == nullptr ? session::Server::kNoLoop : here->index());
  if (room != net::PostResult::accepted) return counted(room);
  for (std::size_t i = 0; i < loop_contexts_.size(); ++i) {
    LoopContext* loop_context = loop_contexts_[i];
    if (loop_context == here) {
      loop_context->publish(topic, bytes, options.except);
    } else {
      server_->post_reserved(i, cost,
                             [loop_context, name = std::string(topic), bytes, except = options.except](
                                 session::LoopServer&) { loop_context->publish(name, bytes, except); });
    }
  }
  return PostResult::accepted;
}

PostResult ServerImpl::for_each_session(std::function<void(Session&)> task) {
  const auto shared = std::make_shared<const SessionTask>(std::move(task));
  // As in publish(): accepted on every loop before the stop, or on none.
  const std::shared_lock lock(lifecycle_.publishing());
  if (!is_running()) return PostResult::stopped;
  const net::PostResult room = server_->reserve_on_all(0);
  if (room != net::PostResult::accepted) return counted(room);
  for (std::size_t i = 0; i < loop_contexts_.size(); ++i) {
    server_->post_reserved(i, 0,
                           [shared](session::LoopServer& server) { SessionWalk::start(server, shared); });
  }
  return PostResult::accepted;
}

void ServerImpl::add_hub(HubOptions options) {
  if (!lifecycle_.is_idle() || hub_ != nullptr) {
    end_for_misuse("fanfare::Hub", "a server has one hub, which is made before start() and Rpc::serve()");
  }
  hub_ = std::make_unique<ServerHub>(*this, options);
}

namespace {

session::Server::ServerTask with_context(LoopContext& loop_context, UniqueFunction<void(LoopContext&)> task) {
  return [&loop_context, task = std::move(task)](session::LoopServer&) mutable { task(loop_context); };
}

}  // namespace

bool ServerImpl::post_to_loop(std::size_t loop, UniqueFunction<void(LoopContext&)> task) {
  return server_->post(loop, with_context(*loop_contexts_[loop], std::move(task)));
}

bool ServerImpl::offer_to_loop(std::size_t loop, UniqueFunction<void(LoopContext&)> task) {
  if (!is_running()) return false;
  return counted(server_->offer(loop, 0, with_context(*loop_contexts_[loop], std::move(task)))) ==
         PostResult::accepted;
}

PublishResult ServerImpl::publish(const std::shared_ptr<pubsub::Topic>& topic, SharedBytes payload,
                                  pubsub::Receipt receipt) {
  // An accepted event enters the home loop's mailbox before the stop does.
  const std::shared_lock lock(lifecycle_.publishing());
  if (!is_running()) return PublishResult::stopped;
  return hub_->hub.publish(topic, std::move(payload), std::move(receipt));
}

PostResult ServerImpl::post(SessionId id, UniqueFunction<void(Session&)> task) {
  if (!is_running()) return PostResult::stopped;
  if (id.loop >= loop_contexts_.size()) return PostResult::accepted;  // not our session: treated as ended
  return counted(
      server_->offer(id.loop, 0, [id, task = std::move(task)](session::LoopServer& server) mutable {
        session::Session* engine = server.sessions().find({.slot = id.slot, .generation = id.generation});
        if (engine == nullptr || !engine->is_open()) return;
        call_handler("post", [&] { task(Connection::of(*engine).handle()); });
      }));
}

namespace {

// Drops the answer if the request no longer exists.
void with_request(session::LoopServer& server, SessionId id,
                  UniqueFunction<void(session::HttpConnection&)>& task) {
  session::HttpConnection* const connection =
      server.sessions().find_http({.slot = id.slot, .generation = id.generation});
  if (connection == nullptr) return;
  if (!run_guarded("an answer", [&] { task(*connection); })) connection->close();
}

}  // namespace

void ServerImpl::post_to_request(SessionId id, UniqueFunction<void(session::HttpConnection&)> task) {
  if (!has_loops() || id.loop >= loop_contexts_.size()) return;
  server_->post(id.loop, [id, task = std::move(task)](session::LoopServer& server) mutable {
    with_request(server, id, task);
  });
}

void ServerImpl::respond(SessionId id, Response response) {
  if (!has_loops() || id.loop >= loop_contexts_.size()) return;
  UniqueFunction<void(session::HttpConnection&)> answer =
      [made = to_engine(std::move(response))](session::HttpConnection& session) { session.respond(made); };
  LoopContext* const here = own_loop_context();
  if (here != nullptr && here->index() == id.loop) return with_request(here->server(), id, answer);
  post_to_request(id, std::move(answer));
}

void ServerImpl::read_body(SessionId id, std::shared_ptr<RequestBodyChannel> channel,
                           UniqueFunction<void(const BodyPiece&)> handler) {
  if (!has_loops() || id.loop >= loop_contexts_.size()) return;
  server_->post(id.loop, [id, channel = std::move(channel),
                          handler = std::move(handler)](session::LoopServer& server) mutable {
    channel->want(server.sessions().find_http({.slot = id.slot, .generation = id.generation}),
                  std::move(handler));
  });
}

BodyWriter ServerImpl::start_body(SessionId id, Response head, std::optional<std::uint64_t> length) {
  const auto wake = [impl = weak_from_this(), id](std::shared_ptr<BodyChannel> channel) {
    const auto self = impl.lock();
    if (self == nullptr) return channel->gone();
    self->post_to_request(
        id, [channel = std::move(channel)](session::HttpConnection& session) { channel->pass(session); });
  };
  const auto channel =
      std::make_shared<BodyChannel>(BodyChannelOptions{.bytes_high = options_.limits.outbox_bytes_high,
                                                       .bytes_max = options_.limits.response_outbox_bytes_max,
                                                       .has_length = length.has_value()},
                                    wake);
  const std::string first = std::exchange(head.body, {});
  post_to_request(id, [channel, length, made = to_engine(std::move(head))](session::HttpConnection& session) {
    session.start_body(made, length, std::make_unique<ChannelBody>(channel));
  });
  if (!first.empty()) channel->write(as_bytes(first));
  return BodyWriter(channel);
}

std::vector<std::string> ServerImpl::addresses() const {
  std::vector<std::string> texts;
  if (server_ == nullptr) return texts;
  for (const net::Address& address : server_->addresses()) texts.push_back(address.text());
  return texts;
}

std::vector<std::pair<std::string_view, std::uint64_t>> ServerImpl::refused_connections() const {
  std::vector<std::pair<std::string_view, std::uint64_t>> refused;
  for (std::size_t i = 0; i < static_cast<std::size_t>(session::Refusal::count_); ++i) {
    const auto reason = static_cast<session::Refusal>(i);
    refused.emplace_back(session::name_of(reason), server_ == nullptr ? 0 : server_->gate().refused(reason));
  }
  return refused;
}

ServerStats ServerImpl::stats() const {
  ServerStats stats{.sessions = open_sessions.load(std::memory_order_relaxed),
                    .sessions_opened = opened_sessions.load(std::memory_order_relaxed),
                    .refused_tasks = refused_tasks(),
                    .handler_exceptions = handler_exceptions()};
  if (!has_loops()) return stats;
  const session::SessionTotals totals = server_->totals();
  stats.connections = server_->gate().connections();
  stats.messages_received = totals.messages_received;
  stats.messages_sent = totals.messages_sent;
  stats.bytes_received = totals.bytes_received;
  stats.turn_shares_spent = totals.turn_shares_spent;
  return stats;
}

std::uint16_t ServerImpl::port() const {
  return server_ == nullptr || server_->addresses().empty() ? 0 : server_->addresses().front().port();
}

}  // namespace fanfare::api
