// The gateway as a process: signals, terminal output, the exit code.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "gateway/defend/system_limits.h"
#include "gateway/descriptor_limit.h"
#include "gateway/gateway.h"
#include "gateway/inherited.h"
#include "gateway/reload/reloader.h"
#include "gateway/service_manager.h"
#include "gateway/stop_deadline.h"
#include "gateway/welcome.h"

namespace fanfare::gateway {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

void raise_limits() {
  const auto limit = raise_descriptor_limit();
  if (!limit) return log::warn("descriptor_limit_not_raised", {{"error", limit.error()}});
  log::info("descriptor_limit", {{"soft_before", limit->before}, {"soft", limit->now}});
}

// How long the welcome waits for networks that are not ready: then it says so instead.
constexpr std::chrono::milliseconds kReadyWait{1500};
constexpr std::chrono::milliseconds kReadyLook{10};

// Waits until every network is ready, kReadyWait has passed, or a signal came; returns that signal, or 0.
int wait_until_ready(const Gateway& gateway, const sigset_t& signals) {
  const auto deadline = std::chrono::steady_clock::now() + kReadyWait;
  while (std::chrono::steady_clock::now() < deadline &&
         !std::ranges::all_of(gateway.states(), &NetworkState::ready)) {
    const timespec look{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(kReadyLook).count()};
    if (const int received = sigtimedwait(&signals, nullptr, &look); received > 0) return received;
  }
  return 0;
}

void print_welcome(const ServePlan& plan, const Gateway& gateway) {
  const std::string text = welcome_text(plan, gateway.addresses(), gateway.states(), program_invocation_name);
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

// Waits for a signal, or until it is time to look at the files: then 0.
int wait_for_signal(const sigset_t& signals, Duration at_most) {
  int received = 0;
  if (at_most <= Duration::zero()) {
    sigwait(&signals, &received);
    return received;
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at_most);
  const timespec wait{.tv_sec = seconds.count(),
                      .tv_nsec = std::chrono::nanoseconds(at_most - seconds).count()};
  received = sigtimedwait(&signals, nullptr, &wait);
  return received > 0 ? received : 0;
}

void log_addresses(const ServePlan& plan, const Gateway& gateway) {
  for (std::size_t i = 0; i < plan.listeners.size(); ++i) {
    log::info("listening", {{"address", gateway.addresses()[i].text()},
                            {"loops", gateway.loop_count()},
                            {"loop", gateway.loop_name()},
                            {"inherited", plan.listeners[i].at.inherited_fd.has_value()}});
  }
  for (const net::Address& address : gateway.admin_addresses()) {
    log::info("admin_listening", {{"address", address.text()}});
  }
}

// What a service manager shows for the process.
std::string status_text(const Gateway& gateway) {
  std::string text = "listening on";
  for (const net::Address& address : gateway.addresses()) text += " " + address.text();
  return text;
}

// Waits for signals, and meanwhile does what is due: looks at files, and tells a service manager that the loops live.
class SignalWait {
 public:
  SignalWait(Gateway& gateway, Reloader& reloader, ServiceManager& manager, const sigset_t& signals)
      : gateway_(gateway), reloader_(reloader), manager_(manager), signals_(signals) {}

  // Returns the signal that ends the process; SIGHUP reloads. `received`: one that was taken before, or 0.
  int wait_for_stop(int received) {
    for (;; received = 0) {
      if (received == 0) received = wait_for_signal(signals_, shortest_interval());
      if (received == SIGHUP) {
        gateway_.reopen_access_log();
        manager_.reloading();
        reloader_.reload_all();
        manager_.ready(status_text(gateway_));
      } else if (received != 0) {
        return received;
      }
      do_what_is_due();
    }
  }

 private:
  // Zero: nothing is ever due.
  Duration shortest_interval() const {
    const Duration watchdog = manager_.watchdog_interval();
    const Duration files = reloader_.check_every();
    if (watchdog == Duration::zero() || files == Duration::zero()) return std::max(watchdog, files);
    return std::min(watchdog, files);
  }
  void do_what_is_due() {
    const Instant now = system_clock().now();
    if (manager_.watchdog_interval() > Duration::zero() && now >= alive_at_) {
      if (gateway_.loops_live()) manager_.alive();
      alive_at_ = now + manager_.watchdog_interval() / 2;
    }
    if (reloader_.check_every() > Duration::zero() && now >= look_at_) {
      reloader_.look();
      look_at_ = now + reloader_.check_every();
    }
  }

  Gateway& gateway_;
  Reloader& reloader_;
  ServiceManager& manager_;
  const sigset_t& signals_;
  Instant alive_at_{};
  Instant look_at_ = system_clock().now() + reloader_.check_every();
};

}  // namespace

int run(ServePlan plan, const ReadAgain& read_again) {
  plan.defence.is_process = true;
  log::set_level(plan.log_level);
  const auto inherited = net::inherited_sockets();
  if (!inherited) {
    log::error("start_failed", {{"error", inherited.error()}});
    return 1;
  }
  take_inherited(plan, *inherited);
  raise_limits();
  log_system_limits(plan);
  signal(SIGPIPE, SIG_IGN);
  // Blocked before any thread starts, so that only sigwait below sees them.
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  ServiceManager manager;
  std::optional<StopDeadline> deadline;  // still runs while the gateway is destroyed
  Gateway gateway(plan);
  // Before anybody can see that the program runs: what changes from here on is noticed.
  Reloader reloader(
      gateway, plan,
      !read_again ? ReadAgain() : [&read_again, &inherited]() -> std::expected<ServePlan, std::string> {
        auto wanted = read_again();
        if (!wanted) return wanted;
        take_inherited(*wanted, *inherited);
        wanted->defence.is_process = true;
        return wanted;
      });
  gateway.answer_reloads(reloader.requests());
  if (const auto started = gateway.start(); !started) {
    log::error("start_failed", {{"error", started.error().message}});
    return 1;
  }
  log_addresses(plan, gateway);
  manager.ready(status_text(gateway));
  int received = wait_until_ready(gateway, signals);
  if (received == 0 || received == SIGHUP) print_welcome(plan, gateway);
  received = SignalWait(gateway, reloader, manager, signals).wait_for_stop(received);
  manager.stopping();
  deadline.emplace(plan.shutdown_timeout + kStopGrace);
  log::info("stopping", {{"signal", sigabbrev_np(received)},
                         {"deadline_s",
                          std::chrono::duration_cast<std::chrono::seconds>(plan.shutdown_timeout).count()}});
  // From here on another stop signal has its default effect and ends the process at once. That also holds if
  // the process was started with these signals ignored, as a shell does for background jobs. Certificates no
  // longer matter.
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  signal(SIGHUP, SIG_IGN);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const std::size_t dropped = gateway.stop();
  log::info("stopped", {{"connections_dropped", dropped}});
  return 0;
}

}  // namespace fanfare::gateway
