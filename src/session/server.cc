#include "session/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>

#include "base/check.h"

namespace fanfare::session {

struct Server::Thread {
  std::unique_ptr<net::Loop> loop;
  Sites sites;
  std::unique_ptr<LoopServer> server;
  std::promise<std::size_t> emptied;  // when draining: sessions that had to be dropped
  std::thread thread;
};

namespace {

using Listening = std::vector<net::Descriptor>;

std::expected<net::Descriptor, net::OsError> duplicate(int fd) {
  net::Descriptor shared(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!shared.valid()) return std::unexpected(net::last_error("fcntl", "descriptor " + std::to_string(fd)));
  return shared;
}

std::expected<net::Descriptor, net::OsError> take_inherited(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  // Who else holds it: whoever comes too late for a connection must not wait for the next one.
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return std::unexpected(net::last_error("fcntl", "descriptor " + std::to_string(fd)));
  }
  return duplicate(fd);
}

std::expected<Listening, net::OsError> bind_all(const std::vector<Listener>& listeners,
                                                std::vector<net::Address>& addresses) {
  Listening listening;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    net::Address& address = addresses[i];
    auto socket = listeners[i].inherited_fd ? take_inherited(*listeners[i].inherited_fd)
                                            : net::listen_on(address, {.unix_mode = listeners[i].unix_mode});
    if (!socket) return std::unexpected(socket.error());
    // Port 0: the next loops bind the port this one got.
    auto bound = net::local_address(socket->get());
    if (!bound) return std::unexpected(bound.error());
    address = *bound;
    listening.push_back(std::move(*socket));
  }
  return listening;
}

// What the other loops listen on. A Unix path has one socket, and so has what was inherited; they share it:
// whoever is first accepts.
std::expected<Listening, net::OsError> bind_again(const std::vector<Listener>& listeners,
                                                  const std::vector<net::Address>& addresses,
                                                  const Listening& first) {
  Listening listening;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const bool shared = addresses[i].family() == AF_UNIX || listeners[i].inherited_fd;
    auto socket = shared ? duplicate(first[i].get()) : net::listen_on(addresses[i]);
    if (!socket) return std::unexpected(socket.error());
    listening.push_back(std::move(*socket));
  }
  return listening;
}

}  // namespace

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
                                                MakeSites make_sites) {
  std::vector<Listener> listeners;
  for (const net::Address& address : addresses) {
    listeners.push_back({.address = address, .options = {}});
  }
  return start(listeners, std::move(make_sites));
}

std::expected<void, net::OsError> Server::start(const std::vector<Listener>& listeners,
                                                MakeSites make_sites) {
  FANFARE_CHECK(threads_.empty());  // a server starts once
  const std::size_t count =
      options_.loops > 0 ? options_.loops : std::max<std::size_t>(1, std::thread::hardware_concurrency());
  for (const Listener& listener : listeners) {
    addresses_.push_back(listener.address);
    if (listener.inherited_fd) continue;
    if (const auto free = net::check_free(listener.address); !free) return std::unexpected(free.error());
  }
  std::vector<Listening> listening;
  for (std::size_t i = 0; i < count; ++i) {
    auto bound =
        i == 0 ? bind_all(listeners, addresses_) : bind_again(listeners, addresses_, listening.front());
    if (!bound) return std::unexpected(bound.error());
    listening.push_back(std::move(*bound));
  }
  remember_unix_paths(listeners);
  for (std::size_t i = 0; i < count; ++i) {
    auto thread = std::make_unique<Thread>();
    std::promise<std::expected<std::string_view, net::OsError>> ready;
    auto started = ready.get_future();
    thread->thread = std::thread([this, i, self = thread.get(), ready = std::move(ready), &make_sites,
                                  &listeners, mine = std::move(listening[i])]() mutable {
      auto loop = net::Loop::create(options_.loop);
      if (!loop) return ready.set_value(std::unexpected(loop.error()));
      self->loop = std::move(*loop);
      self->server = std::make_unique<LoopServer>(*self->loop, options_.loop_server);
      self->sites = make_sites(*self->server, i);
      FANFARE_CHECK(self->sites.size() == mine.size());
      for (std::size_t k = 0; k < mine.size(); ++k) {
        self->server->listen(std::move(mine[k]), *self->sites[k], listeners[k].options);
      }
      ready.set_value(self->loop->name());
      self->loop->run();
      self->server.reset();
      self->sites.clear();
      // The loop itself stays: other threads may still post to it.
    });
    const auto result = started.get();
    threads_.push_back(std::move(thread));
    if (!result) {
      threads_.back()->thread.join();
      threads_.pop_back();
      stop(ws::close_code::service_restart, "", Duration::zero());
      return std::unexpected(result.error());
    }
    loop_name_ = *result;
  }
  return {};
}

void Server::remember_unix_paths(const std::vector<Listener>& listeners) {
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    const net::Address& address = addresses_[i];
    struct stat made{};
    if (listeners[i].inherited_fd || address.family() != AF_UNIX) continue;
    if (::stat(address.host().c_str(), &made) != 0) continue;
    unix_paths_.push_back({.path = address.host(), .device = made.st_dev, .inode = made.st_ino});
  }
}

// A successor may have put its own socket there by now.
void Server::remove_unix_paths() {
  for (const UnixPath& ours : unix_paths_) {
    struct stat now{};
    if (::stat(ours.path.c_str(), &now) != 0 || now.st_dev != ours.device || now.st_ino != ours.inode)
      continue;
    ::unlink(ours.path.c_str());
  }
}

void Server::post(std::size_t loop_index, std::move_only_function<void(LoopServer&)> task) {
  Thread& thread = *threads_[loop_index];
  thread.loop->post([&thread, task = std::move(task)]() mutable { task(*thread.server); });
}

void Server::post_to_all(const std::function<void(LoopServer&)>& task) {
  for (std::size_t i = 0; i < threads_.size(); ++i) post(i, task);
}

namespace {

// Looks again and again, on the loop, whether everyone has gone.
void stop_when_empty(LoopServer& server, std::promise<std::size_t>& emptied, Instant deadline) {
  constexpr Duration kLookAgain = std::chrono::milliseconds(10);
  if (server.sessions().size() == 0 || server.loop().now() >= deadline) {
    emptied.set_value(server.sessions().size());
    server.loop().stop();
    return;
  }
  server.loop().call_after(kLookAgain,
                           [&server, &emptied, deadline] { stop_when_empty(server, emptied, deadline); });
}

}  // namespace

std::size_t Server::stop(std::uint16_t code, std::string_view reason, Duration deadline) {
  if (std::exchange(stopped_, true)) return 0;
  remove_unix_paths();
  const std::string text(reason);
  for (const auto& thread : threads_) {
    thread->loop->post([&thread, code, text, deadline] {
      thread->server->drain(code, text);
      stop_when_empty(*thread->server, thread->emptied, saturating_add(thread->loop->now(), deadline));
    });
  }
  std::size_t dropped = 0;
  for (const auto& thread : threads_) {
    dropped += thread->emptied.get_future().get();
    thread->thread.join();
  }
  return dropped;
}

}  // namespace fanfare::session
