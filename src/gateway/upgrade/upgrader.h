#pragma once
// A binary upgrade, as made by the process that is replaced:
//
//   this process                         the successor: the same arguments, the file on disk
//   starts it, passes the sockets   ->   reads the configuration, makes its loops, follows its networks
//   goes on as before               <-   ready
//   stops accepting                 ->   accepts
//   tells the service manager       <-   accepting
//   closes its connections over time
//
// Until "accepting" everything can be undone: if the successor ends, is too slow or does not answer, this process goes on as
// before, and the log says why. Between the two nobody accepts for some milliseconds, and connections wait in the sockets' queues.
//
// On the thread of Gateway::start() and stop().

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "gateway/gateway.h"
#include "gateway/service_manager.h"
#include "gateway/upgrade/program.h"
#include "gateway/upgrade/requests.h"
#include "gateway/upgrade/successor.h"

namespace fanfare::gateway {

class Upgrader {
 public:
  // How long a successor that was ready may take to accept.
  static constexpr Duration kAcceptWait = std::chrono::seconds(5);
  // How often go_on() is due while an upgrade is under way.
  static constexpr Duration kLook = std::chrono::milliseconds(20);

  // Both must outlive it. Make it early: it remembers the program's file, which an upgrade replaces.
  Upgrader(Gateway& gateway, ServiceManager& manager);

  // Those who ask here get the report of the upgrade that follows.
  UpgradeRequests& requests() { return requests_; }

  // Starts a successor, unless one is starting already or something cannot be handed over.
  void begin();
  bool is_under_way() const { return successor_ != nullptr; }
  // Waits at most kLook. True: the successor has taken over, and this process has only to end.
  bool go_on();
  // This process is stopped, so nobody takes over.
  void abandon();
  // The configuration was read again: the successor may have read an older one.
  void note_reload() { reloaded_ = true; }

 private:
  std::string start();
  bool switch_over();
  void fail(std::string problem);
  void report(const UpgradeReport& report);

  Gateway& gateway_;
  ServiceManager& manager_;
  const std::string file_;
  UpgradeRequests requests_;
  std::vector<UpgradeRequests::Done> asking_;
  std::unique_ptr<Successor> successor_;
  Instant until_{};
  bool reloaded_ = false;
};

}  // namespace fanfare::gateway
