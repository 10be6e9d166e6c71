#include "gateway/upgrade/listening_servers.h"

#include <utility>

namespace fanfare::gateway {

void ListeningServers::accept_later() {
  main_.accept_later();
  admin_.accept_later();
}

void ListeningServers::begin_accepting() {
  main_.begin_accepting();
  admin_.begin_accepting();
}

std::expected<std::vector<PassedSocket>, std::string> ListeningServers::copy(
    const std::vector<std::string>& names, const std::vector<std::string>& admin_names) {
  close_copies();
  auto of_main = main_.copy_sockets();
  if (!of_main) return std::unexpected("cannot copy the listening sockets: " + of_main.error().message());
  of_main_ = *std::move(of_main);
  auto of_admin = admin_.copy_sockets();
  if (!of_admin)
    return std::unexpected("cannot copy the sockets of the admin API: " + of_admin.error().message());
  of_admin_ = *std::move(of_admin);
  std::vector<PassedSocket> sockets;
  const auto add = [&](const auto& copies, const std::vector<std::string>& of_listeners) {
    for (const session::Server::Passed& one : copies) {
      if (one.is_repeated) continue;
      sockets.push_back({.name = of_listeners[one.listener], .fd = one.socket.get()});
    }
  };
  add(of_main_, names);
  add(of_admin_, admin_names);
  return sockets;
}

bool ListeningServers::stop_accepting() {
  has_stopped_ = true;
  const bool has_main = main_.stop_accepting();
  return admin_.stop_accepting() && has_main;
}

void ListeningServers::accept_again() {
  if (std::exchange(has_stopped_, false)) {
    main_.accept_again(std::exchange(of_main_, {}));
    admin_.accept_again(std::exchange(of_admin_, {}));
  }
  close_copies();
}

void ListeningServers::close_copies() {
  of_main_.clear();
  of_admin_.clear();
}

void ListeningServers::give_up_paths() {
  main_.give_up_paths();
  admin_.give_up_paths();
}

}  // namespace fanfare::gateway
