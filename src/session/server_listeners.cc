// The listening sockets of a server: those that come and go while it runs, and those that another process gets.

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <future>
#include <memory>
#include <set>
#include <utility>

#include "session/server.h"
#include "session/server_thread.h"

namespace fanfare::session {
namespace {

bool answers_at_once(LoopServer& /*server*/) {
  return true;
}
bool passes_on_listening(LoopServer& server) {
  server.pass_on_listening();
  return true;
}

}  // namespace

std::expected<Server::Bound, net::OsError> Server::bind_listener(const Listener& listener) const {
  if (!listener.inherited_fd) {
    if (const auto free = net::check_free(listener.address); !free) return std::unexpected(free.error());
  }
  std::vector<net::Address> addresses{listener.address};
  auto sockets = bind_for_loops({listener}, addresses, threads_.size());
  if (!sockets) return std::unexpected(sockets.error());
  return Bound{.listener = listener,
               .address = addresses.front(),
               .sockets = *std::move(sockets),
               .path = BoundPath(listener, addresses.front())};
}

void Server::add_listener(Bound bound, const MakeHttpService& make_http_service) {
  const std::size_t index = addresses_.size();
  addresses_.push_back(bound.address);
  is_shut_down_.push_back(bound.listener.is_ours);
  unix_paths_.remember(index, bound.listener, bound.address, /*is_of_other=*/false);
  bound.path.keep();
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    Thread& thread = *threads_[i];
    for (std::size_t k = 0; k < bound.sockets[i].size(); ++k) thread.numbers.push_back(index);
    post(i, [&thread, i, make_http_service, options = bound.listener.options,
             sockets = std::move(bound.sockets[i])](LoopServer& server) mutable {
      HttpService& service = *thread.services.emplace_back(make_http_service(server, i));
      for (auto& [k, socket] : sockets) server.listen(std::move(socket), service, options);
    });
  }
}

void Server::remove_listener(std::size_t index, HttpEnd http_end) {
  unix_paths_.remove(index);
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    Thread& thread = *threads_[i];
    std::vector<std::size_t> numbers;
    for (std::size_t number = 0; number < thread.numbers.size(); ++number) {
      if (thread.numbers[number] == index) numbers.push_back(number);
    }
    post(i, [&thread, index, http_end, numbers = std::move(numbers),
             shuts_down = bool(is_shut_down_[index])](LoopServer& server) {
      // The site goes with the last one.
      const std::shared_ptr<const void> site(
          nullptr, [&thread, index](const void*) { thread.services[index].reset(); });
      for (const std::size_t number : numbers) {
        server.remove_listener(number, shuts_down, site);
        if (http_end == HttpEnd::after_current_response) server.end_http_of(number);
      }
    });
  }
}

void Server::begin_accepting() {
  unix_paths_.take_over();
  for (const auto& thread : threads_) {
    thread->loop->post([self = thread.get()] { self->listen(); });
  }
}

// `result` outlives a call that has given up, until the loop has run `task` or ended.
template <typename Result>
std::optional<Result> Server::ask(std::size_t loop_index, Duration wait_max,
                                  UniqueFunction<Result(LoopServer&)> task) {
  const auto asked = std::make_shared<std::promise<Result>>();
  auto answer = asked->get_future();
  const bool is_posted = post(loop_index, [asked, task = std::move(task)](LoopServer& server) mutable {
    asked->set_value(task(server));
  });
  if (!is_posted || answer.wait_for(wait_max) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

std::expected<std::vector<Server::Passed>, net::OsError> Server::copy_sockets(Duration wait_max) {
  std::vector<Passed> passed;
  std::set<std::pair<dev_t, ino_t>> seen;  // the loops share Unix paths and what was inherited
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    using Copies = std::expected<std::vector<LoopServer::Listening>, net::OsError>;
    auto sockets = ask<Copies>(i, wait_max, [](LoopServer& server) { return server.copy_sockets(); });
    if (!sockets) {
      return std::unexpected(
          net::OsError{.call = "answer of loop", .code = ETIMEDOUT, .detail = std::to_string(i)});
    }
    if (!*sockets) return std::unexpected(sockets->error());
    for (LoopServer::Listening& one : **sockets) {
      struct stat socket{};
      if (::fstat(one.socket.get(), &socket) != 0) return std::unexpected(net::last_error("fstat"));
      passed.push_back({.listener = threads_[i]->numbers[one.number],
                        .loop = i,
                        .number = one.number,
                        .socket = std::move(one.socket),
                        .is_repeated = !seen.emplace(socket.st_dev, socket.st_ino).second});
    }
  }
  return passed;
}

bool Server::wait_for_loops(Duration wait_max) {
  bool have_all = true;
  for (std::size_t i = 0; i < threads_.size(); ++i)
    have_all = ask<bool>(i, wait_max, answers_at_once).has_value() && have_all;
  return have_all;
}

bool Server::stop_accepting(Duration wait_max) {
  bool have_all = true;
  for (std::size_t i = 0; i < threads_.size(); ++i)
    have_all = ask<bool>(i, wait_max, passes_on_listening).has_value() && have_all;
  return have_all;
}

void Server::accept_again(std::vector<Passed> sockets) {
  std::vector<std::vector<LoopServer::Listening>> of_loops(threads_.size());
  for (Passed& one : sockets) {
    of_loops[one.loop].push_back({.number = one.number, .socket = std::move(one.socket)});
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    post(i, [sockets = std::move(of_loops[i])](LoopServer& server) mutable {
      server.listen_again(std::move(sockets));
    });
  }
}

void Server::give_up_paths() {
  unix_paths_.give_up();
}

}  // namespace fanfare::session
