#include "session/server.h"

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "base/check.h"
#include "net/thread.h"
#include "session/server_thread.h"

namespace fanfare::session {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(10);

void add(SessionTotals& to, const SessionTotals& more) {
  to.messages_received += more.messages_received;
  to.messages_sent += more.messages_sent;
  to.bytes_received += more.bytes_received;
  to.turn_shares_spent += more.turn_shares_spent;
}

SessionTotals totals_of(const SessionCounters& counters) {
  return {.messages_received = counters.messages_received.value(),
          .messages_sent = counters.messages_sent.value(),
          .bytes_received = counters.bytes_received.value(),
          .turn_shares_spent = counters.turn_shares_spent.value()};
}

}  // namespace

void Server::Thread::add_to(SessionTotals& totals) const {
  const std::scoped_lock lock(totals_mutex_);
  add(totals, totals_ ? *totals_ : totals_of(server->sessions().counters()));
}

// After the loop has run.
void Server::Thread::end() {
  over_ = true;
  loop->cancel(timer_);
  // Posted tasks refer to the objects destroyed below.
  loop->close_mailbox();
  server->close_all();
  {
    const std::scoped_lock lock(totals_mutex_);
    totals_ = totals_of(server->sessions().counters());
  }
  server.reset();
  services.clear();
}

void Server::Thread::stop_by(Instant when, std::uint16_t code, std::string_view reason) {
  until_ = std::min(until_, when);
  if (!draining_) {
    close_code_ = code;
    close_reason_ = reason;
  }
  look();
}

void Server::Thread::drain() {
  if (draining_) return;
  draining_ = true;
  server->drain(close_code_, close_reason_);
  look();
}

// Checks repeatedly, on the loop, whether all sessions have ended.
void Server::Thread::look() {
  if (over_) return;
  const Instant now = loop->now();
  if (now < until_ && (!draining_ || count_undelivered(1) > 0)) {
    loop->cancel(timer_);
    timer_ = loop->call_at(std::min(until_, now + kLookAgain), [this] { look(); });
    return;
  }
  over_ = true;
  if (!draining_) server->drain(close_code_, close_reason_);
  draining_ = true;
  dropped = count_undelivered(SIZE_MAX);
  loop->stop();
}

// Stops counting at `enough`.
std::size_t Server::Thread::count_undelivered(std::size_t enough) const {
  std::size_t count = 0;
  server->sessions().for_each_member([&](const Member& member) {
    if (count < enough && !member.is_delivered()) ++count;
  });
  return count;
}

Server::Server(ServerOptions options) : options_(std::move(options)), gate_(options_.accept) {
  options_.loop_server.gate = &gate_;
  options_.loop.streams_max = options_.loop_server.connections_max;
  if (const std::size_t most = options_.accept.connections_max; most > 0) {
    options_.loop.streams_max = std::min(options_.loop.streams_max, most);
  }
}

Server::~Server() {
  stop(ws::close_code::service_restart, "", Duration::zero());
}

std::expected<void, net::OsError> Server::start(const std::vector<net::Address>& addresses,
                                                const MakeHttpServices& make_http_services) {
  std::vector<Listener> listeners;
  for (const net::Address& address : addresses) {
    listeners.push_back({.address = address, .options = {}});
  }
  return start(listeners, make_http_services);
}

std::expected<void, net::OsError> Server::start(const std::vector<Listener>& listeners,
                                                const MakeHttpServices& make_http_services,
                                                const std::function<void()>& before_accepting) {
  FANFARE_CHECK(threads_.empty());  // a server starts only once
  const std::size_t count =
      options_.loops > 0 ? options_.loops : std::max<std::size_t>(1, std::thread::hardware_concurrency());
  for (const Listener& listener : listeners) {
    addresses_.push_back(listener.address);
    is_shut_down_.push_back(listener.is_ours);
    if (listener.inherited_fd) continue;
    if (const auto free = net::check_free(listener.address); !free) return std::unexpected(free.error());
  }
  auto listening = bind_for_loops(listeners, addresses_, count);
  if (!listening) return std::unexpected(listening.error());
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    unix_paths_.remember(i, listeners[i], addresses_[i], accepts_later_);
  }
  auto started = start_threads(*std::move(listening), listeners, make_http_services, before_accepting);
  if (!started) unix_paths_.remove_all();
  return started;
}

std::expected<void, net::OsError> Server::start_threads(std::vector<LoopListening> listening,
                                                        const std::vector<Listener>& listeners,
                                                        const MakeHttpServices& make_http_services,
                                                        const std::function<void()>& before_accepting) {
  std::vector<ListenerOptions> options;
  for (const Listener& listener : listeners) options.push_back(listener.options);
  std::promise<bool> go;  // false: another loop could not be created
  const std::shared_future<bool> may_go = go.get_future().share();
  for (std::size_t i = 0; i < listening.size(); ++i) {
    Thread& self = *threads_.emplace_back(std::make_unique<Thread>());
    std::promise<std::expected<std::string_view, net::OsError>> ready;
    auto made = ready.get_future();
    const auto mine = std::make_shared<LoopListening>(std::move(listening[i]));
    for (const auto& [k, socket] : *mine) self.numbers.push_back(k);
    self.listen = [&self, options, mine] {
      for (auto& [k, socket] : *mine) self.server->listen(std::move(socket), *self.services[k], options[k]);
    };
    auto thread = net::start_thread([this, i, &self, &make_http_services, count = listeners.size(), may_go,
                                     ready = std::move(ready)]() mutable {
      auto loop = net::Loop::create(options_.loop);
      if (!loop) return ready.set_value(std::unexpected(loop.error()));
      self.loop = std::move(*loop);
      self.server = std::make_unique<LoopServer>(*self.loop, options_.loop_server);
      self.services = make_http_services(*self.server, i);
      FANFARE_CHECK(self.services.size() == count);
      ready.set_value(self.loop->name());
      if (may_go.get()) {
        if (!accepts_later_) self.listen();
        self.loop->run();
      }
      self.end();
    });
    std::expected<std::string_view, net::OsError> result;
    if (thread) {
      self.thread = *std::move(thread);
      result = made.get();
    } else {
      result = std::unexpected(thread.error());
    }
    if (!result) {
      go.set_value(false);
      for (const auto& one : threads_) {
        if (one->thread.joinable()) one->thread.join();
      }
      threads_.clear();
      return std::unexpected(result.error());
    }
    loop_name_ = *result;
  }
  if (before_accepting) before_accepting();
  go.set_value(true);
  return {};
}

bool Server::post(std::size_t loop_index, ServerTask task) {
  Thread& thread = *threads_[loop_index];
  return thread.loop->post([&thread, task = std::move(task)]() mutable { task(*thread.server); });
}

void Server::post_to_all(const std::function<void(LoopServer&)>& task) {
  for (std::size_t i = 0; i < threads_.size(); ++i) post(i, task);
}

net::PostResult Server::offer(std::size_t loop_index, std::size_t bytes, ServerTask task) {
  const net::PostResult room = threads_[loop_index]->loop->reserve(bytes);
  if (room != net::PostResult::accepted) return room;
  return post_reserved(loop_index, bytes, std::move(task)) ? net::PostResult::accepted
                                                           : net::PostResult::stopped;
}

net::PostResult Server::reserve_on_all(std::size_t bytes, std::size_t except) {
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (i == except) continue;
    const net::PostResult room = threads_[i]->loop->reserve(bytes);
    if (room == net::PostResult::accepted) continue;
    while (i-- > 0) {
      if (i != except) threads_[i]->loop->give_back(bytes);
    }
    return room;
  }
  return net::PostResult::accepted;
}

bool Server::post_reserved(std::size_t loop_index, std::size_t bytes, ServerTask task) {
  Thread& thread = *threads_[loop_index];
  return thread.loop->post_reserved([&thread, task = std::move(task)]() mutable { task(*thread.server); },
                                    bytes);
}

SessionTotals Server::totals() const {
  SessionTotals totals;
  for (const auto& thread : threads_) thread->add_to(totals);
  return totals;
}

void Server::begin_stop(std::uint16_t code, std::string_view reason, Duration deadline) {
  unix_paths_.remove_all();
  const std::string text(reason);
  // Practically forever, and without overflow in additions.
  const Duration patience = std::clamp<Duration>(deadline, Duration::zero(), std::chrono::hours(24 * 365));
  for (const auto& thread : threads_) {
    thread->loop->post_urgent([self = thread.get(), code, text, patience] {
      self->stop_by(self->loop->now() + patience, code, text);
    });
    if (patience > Duration::zero()) thread->loop->post([self = thread.get()] { self->drain(); });
  }
}

std::size_t Server::finish_stop() {
  const std::scoped_lock lock(joining_mutex_);
  std::size_t dropped = 0;
  for (const auto& thread : threads_) {
    if (thread->thread.joinable()) thread->thread.join();
    dropped += thread->dropped;
  }
  return dropped;
}

std::size_t Server::stop(std::uint16_t code, std::string_view reason, Duration deadline) {
  begin_stop(code, reason, deadline);
  return finish_stop();
}

}  // namespace fanfare::session
