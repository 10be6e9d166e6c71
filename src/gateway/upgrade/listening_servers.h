#pragma once
// The listening sockets of a gateway's two servers, its own and that of the admin API: copied for another process, and
// accepted from or not. On one thread, not a loop's.

#include <expected>
#include <string>
#include <vector>

#include "gateway/upgrade/passed_sockets.h"
#include "session/server.h"

namespace fanfare::gateway {

class ListeningServers {
 public:
  // Both must outlive it. The second one need not run: then it has no sockets.
  ListeningServers(session::Server& main, session::Server& admin) : main_(main), admin_(admin) {}

  void accept_later();
  void begin_accepting();
  // The names of the listeners of each, by their index. The copies are kept until accept_again() or close_copies().
  std::expected<std::vector<PassedSocket>, std::string> copy(const std::vector<std::string>& names,
                                                             const std::vector<std::string>& admin_names);
  bool has_copies() const { return !of_main_.empty(); }
  // False: a loop is stuck, and may still accept.
  bool stop_accepting();
  void accept_again();
  void close_copies();
  void give_up_paths();

 private:
  session::Server& main_;
  session::Server& admin_;
  bool has_stopped_ = false;
  std::vector<session::Server::Passed> of_main_;
  std::vector<session::Server::Passed> of_admin_;
};

}  // namespace fanfare::gateway
