#pragma once
// Reloads a running gateway from its configuration: the whole of it on request, keys and roles also when their files have
// changed. Reads files, writes log lines, and reports to those who asked. On the thread of Gateway::start() and stop().

#include <optional>
#include <string>
#include <vector>

#include "gateway/file_watch.h"
#include "gateway/gateway.h"
#include "gateway/reload_requests.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

class Reloader {
 public:
  // `plan`: the one that the gateway was made from. Without `read_again` only certificates are reloaded. Make it before anybody
  // can see that the program runs: what changes from then on is noticed. The gateway must outlive it.
  Reloader(Gateway& gateway, const ServePlan& plan, ReadAgain read_again);

  // Those who ask here get the report of the reload that follows.
  ReloadRequests& requests() { return requests_; }

  // How long a signal is waited for before look() is called; zero: for ever.
  Duration check_every() const { return has_access_ ? check_every_ : Duration::zero(); }
  // Reloads keys and roles if their files have changed.
  void look();
  // Reloads everything, and opens the file of the access log again. A plan that cannot be read changes nothing.
  void reload_all();

 private:
  void reload_certificates(ReloadReport& report);
  void reload_plan(ReloadReport& report);
  void report_changes(const PlanDiff& diff, ReloadReport& report) const;
  void reload_access();
  void watch_files_of(const ServePlan& plan);

  Gateway& gateway_;
  const ReadAgain read_again_;
  const bool has_access_;
  const bool has_certificates_;
  Duration check_every_;
  std::vector<std::string> files_;
  FileWatch watch_;
  ReloadRequests requests_;
};

}  // namespace fanfare::gateway
