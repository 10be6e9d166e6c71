#pragma once
// The gateway: listeners, networks and the workers that talk to their nodes, wired together from a plan.

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fanfare/error.h"
#include "gateway/reload/plan_diff.h"
#include "gateway/reload_requests.h"
#include "gateway/serve_plan.h"
#include "gateway/stop_times.h"
#include "gateway/upgrade/passed_sockets.h"
#include "gateway/upgrade/requests.h"
#include "net/socket.h"

namespace fanfare::gateway {

struct NetworkState {
  std::string name;  // "main/1337"
  bool ready = false;
  std::string text;  // for people: "ready, head 12", "not ready: ..."
};

class Gateway {
 public:
  explicit Gateway(ServePlan plan);
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  // Calls stop() without time to drain, if the gateway is running.
  ~Gateway();

  // Before start(): it accepts no connection, also not to the admin API, before begin_accepting(). On the thread of start() and stop(), as all that
  // follows here.
  void accept_later();
  void begin_accepting();
  // Another process is to take over: why that is impossible, for the operator; empty: it is possible.
  std::string upgrade_obstacle() const;
  // Copies of all listening sockets; they are closed by accept_again() or at the stop.
  std::expected<std::vector<PassedSocket>, std::string> copy_sockets();
  // Returns when no loop accepts connections any more. What they have accepted is served. False: a loop is stuck.
  bool stop_accepting();
  // Nobody took over: as before copy_sockets().
  void accept_again();
  Duration upgrade_timeout() const;

  // Binds the listeners and starts the threads. Errors: bad_option (an address), tls, system. After an error
  // nothing runs, and this object cannot be started again.
  std::expected<void, Error> start();
  // In the plan's order, with the ports the system chose. A reload changes it, so it is only for the thread that reloads.
  const std::vector<net::Address>& addresses() const;
  std::size_t loop_count() const;
  std::string_view loop_name() const;

  // Of every network, in the plan's order. Any thread, while the gateway runs.
  std::vector<NetworkState> states() const;

  // Reloads the certificates of all listeners, for new connections. Returns one line for each that could not
  // be read and stays unchanged. On the thread of start() and stop().
  std::vector<std::string> reload_certificates();

  // Applies the keys, users, tokens, roles and limits of the plan, for new connections and for open ones: what they may do
  // changes, and those whose credentials are not valid any more are closed with 1008. The rest of the plan is ignored. The
  // error says what cannot be changed; then nothing has changed. One thread at a time, while the gateway runs.
  std::expected<void, std::string> reload_access(const ServePlan& plan);
  // The admin API asks for reloads here; must outlive the gateway. Before start(); without it, there is nobody who
  // reloads.
  void answer_reloads(ReloadRequests& requests);
  // The same for binary upgrades.
  void answer_upgrades(UpgradeRequests& requests);
  // Of the admin API: its listeners, in the plan's order. Empty: the plan has none.
  std::vector<net::Address> admin_addresses() const;

  // Makes the gateway serve the wanted plan, as far as it can be changed while it runs. `result` of what is returned is
  // the plan that is served from now on; its changes tell what has changed, and what needs a restart. Connections of a
  // network that is gone are closed with 1012 over the plan's shutdown_spread; no other one is closed, except for its
  // credentials as by reload_access(). Returns before every loop has applied it, but
  // after the sockets of removed listeners are closed. On the thread of start() and stop().
  PlanDiff reload(const ServePlan& wanted);
  // Whether every loop has run a task since the last call; that one posts the next. One thread at a time.
  bool loops_live();
  // The file of the access log was renamed. Any thread.
  void reopen_access_log();
  // Writes the cookie file again if it is gone. On the thread of start() and stop().
  void keep_cookie();

  // How a stop goes now. `is_replaced`: another process has taken over.
  StopTimes stop_times(bool is_replaced = false) const;
  // Rejects new connections and closes the open ones with 1012, one after another over the spread, or all at once if only a
  // time is given. The reason says when to come back (session/close_hint.h). Returns when they are closed, or after
  // the deadline. Returns how many had to be dropped.
  std::size_t stop() { return stop(stop_times()); }
  std::size_t stop(const StopTimes& times);
  std::size_t stop(Duration deadline);
  // Any thread, before or during stop(): what is open then is dropped at once.
  void hurry_stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Reads the plan again. The error is for the log: a line for each problem, with its position in the file.
using ReadAgain = std::function<std::expected<ServePlan, std::string>()>;

// The signals that run() handles wait for it from here on. Call it first of all: without it they end the process while it reads
// its configuration.
void hold_signals();
// Serves until SIGTERM or SIGINT, then calls stop(); a second stop signal hurries that (stop_signals.h). SIGUSR2 starts the program again, which
// takes over (upgrade/upgrader.h). SIGHUP reloads the
// certificates, and with `read_again` the whole plan (Gateway::reload); keys and roles are also reloaded
// (Gateway::reload_access) when one of ServePlan::access_files has changed. Prints its addresses to standard output. Returns the process's exit code: 0, or 1 when
// it could not start.
int run(ServePlan plan, const ReadAgain& read_again = {});

}  // namespace fanfare::gateway
