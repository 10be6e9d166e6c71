#include "gateway/upgrade/listening_servers.h"

#include <utility>

namespace fanfare::gateway {

void ListeningServers::accept_later() {
  main_.accept_later();
  if (admin_ != nullptr) admin_->accept_later();
}

void ListeningServers::begin_accepting() {
  main_.begin_accepting();
  if (admin_ != nullptr) admin_->begin_accepting();
}

std::expected<std::vector<PassedSocket>, std::string> ListeningServers::copy(const ServePlan& plan) {
  close_copies();
  auto of_main = main_.copy_sockets();
  if (!of_main) return std::unexpected("cannot copy the listening sockets: " + of_main.error().message());
  of_main_ = *std::move(of_main);
  if (admin_ != nullptr) {
    auto of_admin = admin_->copy_sockets();
    if (!of_admin) {
      return std::unexpected("cannot copy the sockets of the admin API: " + of_admin.error().message());
    }
    of_admin_ = *std::move(of_admin);
  }
  std::vector<PassedSocket> sockets;
  const auto add = [&](const auto& copies, const std::vector<std::string>& names) {
    for (const session::Server::Passed& one : copies) {
      if (one.is_repeated) continue;
      sockets.push_back({.name = names[one.listener], .fd = one.socket.get()});
    }
  };
  add(of_main_, names_of_listeners(plan));
  add(of_admin_, names_of_admin_listeners(plan));
  return sockets;
}

bool ListeningServers::stop_accepting() {
  has_stopped_ = true;
  const bool has_main = main_.stop_accepting();
  return (admin_ == nullptr || admin_->stop_accepting()) && has_main;
}

void ListeningServers::accept_again() {
  if (std::exchange(has_stopped_, false)) {
    main_.accept_again(std::exchange(of_main_, {}));
    if (admin_ != nullptr) admin_->accept_again(std::exchange(of_admin_, {}));
  }
  close_copies();
}

void ListeningServers::close_copies() {
  of_main_.clear();
  of_admin_.clear();
}

void ListeningServers::give_up_paths() {
  main_.give_up_paths();
  if (admin_ != nullptr) admin_->give_up_paths();
}

}  // namespace fanfare::gateway
