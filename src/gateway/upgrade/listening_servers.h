#pragma once
// The listening sockets of a gateway's two servers, its own and that of the admin API: copied for another process, and
// accepted from or not. On one thread, not a loop's.

#include <expected>
#include <string>
#include <vector>

#include "gateway/serve_plan.h"
#include "gateway/upgrade/passed_sockets.h"
#include "session/server.h"

namespace fanfare::gateway {

class ListeningServers {
 public:
  // `admin`: null without an admin API of its own. Both must outlive it.
  ListeningServers(session::Server& main, session::Server* admin) : main_(main), admin_(admin) {}

  void accept_later();
  void begin_accepting();
  // The plan is that of the start. The copies are kept until accept_again() or close_copies().
  std::expected<std::vector<PassedSocket>, std::string> copy(const ServePlan& plan);
  // False: a loop is stuck, and may still accept.
  bool stop_accepting();
  void accept_again();
  void close_copies();
  void give_up_paths();

 private:
  session::Server& main_;
  session::Server* admin_;
  bool has_stopped_ = false;
  std::vector<session::Server::Passed> of_main_;
  std::vector<session::Server::Passed> of_admin_;
};

}  // namespace fanfare::gateway
