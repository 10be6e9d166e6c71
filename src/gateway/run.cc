// The gateway as a process: signals, terminal output, the exit code.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
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
#include "gateway/stop_signals.h"
#include "gateway/upgrade/passed_sockets.h"
#include "gateway/upgrade/predecessor.h"
#include "gateway/upgrade/upgrader.h"
#include "gateway/welcome.h"

namespace fanfare::gateway {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR2);
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

// Returns the signal that came meanwhile, or 0.
int welcome_when_ready(const ServePlan& plan, const Gateway& gateway, const sigset_t& signals) {
  const int received = wait_until_ready(gateway, signals);
  if (received == 0 || received == SIGHUP || received == SIGUSR2) print_welcome(plan, gateway);
  return received;
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

// Waits for signals, and meanwhile does what is due: looks at files, tells a service manager that the loops live, and
// brings an upgrade forward.
class SignalWait {
 public:
  SignalWait(Gateway& gateway, Reloader& reloader, Upgrader& upgrader, ServiceManager& manager,
             const sigset_t& signals)
      : gateway_(gateway), reloader_(reloader), upgrader_(upgrader), manager_(manager), signals_(signals) {}

  // Returns the signal that ends the process, or SIGUSR2: another one has taken over. SIGHUP reloads. `received`: one that was
  // taken before, or 0.
  int wait_for_stop(int received) {
    for (;; received = 0) {
      if (received == 0) received = next_signal();
      if (received == SIGHUP) {
        manager_.reloading();
        reloader_.reload_all();
        upgrader_.note_reload();
        manager_.ready(status_text(gateway_));
      } else if (received == SIGUSR2) {
        upgrader_.begin();
      } else if (received != 0) {
        upgrader_.abandon();
        return received;
      }
      if (upgrader_.is_under_way() && upgrader_.go_on()) return SIGUSR2;
      do_what_is_due();
    }
  }

 private:
  // 0: something may be due.
  int next_signal() const {
    if (!upgrader_.is_under_way()) return wait_for_signal(signals_, shortest_interval());
    const timespec no_time{};
    return std::max(0, sigtimedwait(&signals_, nullptr, &no_time));
  }
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
  Upgrader& upgrader_;
  ServiceManager& manager_;
  const sigset_t& signals_;
  Instant alive_at_{};
  Instant look_at_ = system_clock().now() + reloader_.check_every();
};

// The sockets of a service manager, and those of the process that this one replaces.
struct Inherited {
  std::vector<net::InheritedSocket> of_manager;
  std::optional<Predecessor> predecessor;

  static std::expected<Inherited, std::string> find() {
    auto predecessor = Predecessor::of_environment();
    if (!predecessor) return std::unexpected(std::move(predecessor.error()));
    auto sockets = net::inherited_sockets();
    if (!sockets) return std::unexpected(std::move(sockets.error()));
    return Inherited{.of_manager = *std::move(sockets), .predecessor = *std::move(predecessor)};
  }
  void give(ServePlan& plan) const {
    if (predecessor) return take_passed(plan, predecessor->sockets());
    take_inherited(plan, of_manager);
  }
};

// Waits until the networks that were ready in the predecessor are ready here, or it has ended. It limits the time.
void wait_for_networks(const Gateway& gateway, const Predecessor& predecessor) {
  const auto is_awaited = [&](const NetworkState& state) {
    return !state.ready &&
           std::ranges::find(predecessor.networks(), state.name) != predecessor.networks().end();
  };
  while (std::ranges::any_of(gateway.states(), is_awaited) && !predecessor.is_gone(kReadyLook)) {
  }
}

void take_over(Gateway& gateway, Predecessor& predecessor) {
  wait_for_networks(gateway, predecessor);
  predecessor.wait_for_turn();
  gateway.begin_accepting();
  predecessor.take_over();
  log::info("took_over", {{"from_pid", predecessor.pid()}});
}

void log_stop(int received, const StopTimes& times) {
  const auto in_ms = [](Duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  };
  log::info("stopping", {{"signal", sigabbrev_np(received)},
                         {"replaced", times.is_replaced},
                         {"spread_ms", in_ms(times.spread)},
                         {"deadline_s", in_ms(times.deadline) / 1000}});
}

}  // namespace

void hold_signals() {
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

namespace {

// `moved`: moved_listeners() of an upgrade.
void log_failed_start(const Error& error, const std::string& moved) {
  const bool is_of_moved = error.system_code == EADDRINUSE && !moved.empty();
  log::error("start_failed", {{"error", error.message + (is_of_moved ? ": " + moved : "")}});
}

struct Ended {
  int status = 0;
  int hurried_by = 0;  // the signal that cut the stop short; 0: none
};

Ended serve(ServePlan plan, const ReadAgain& read_again) {
  plan.defence.is_process = true;
  log::set_level(plan.log_level);
  auto inherited = Inherited::find();
  if (!inherited) {
    log::error("start_failed", {{"error", inherited.error()}});
    return {.status = 1};
  }
  std::optional<Predecessor>& predecessor = inherited->predecessor;
  const std::string moved = predecessor ? moved_listeners(plan, predecessor->sockets()) : std::string();
  inherited->give(plan);
  if (predecessor) predecessor->close_unwanted(plan);
  raise_limits();
  log_system_limits(plan);
  signal(SIGPIPE, SIG_IGN);
  // Blocked before any thread starts, so that only sigwait below sees them.
  hold_signals();
  const sigset_t signals = handled_signals();

  ServiceManager manager;
  // Both still run while the gateway is destroyed.
  std::optional<StopDeadline> deadline;
  std::optional<StopSignals> stop_signals;
  Gateway gateway(plan);
  // Before anybody can see that the program runs: what changes from here on is noticed.
  Reloader reloader(
      gateway, plan,
      !read_again ? ReadAgain() : [&read_again, &inherited]() -> std::expected<ServePlan, std::string> {
        auto wanted = read_again();
        if (!wanted) return wanted;
        inherited->give(*wanted);
        wanted->defence.is_process = true;
        return wanted;
      });
  gateway.answer_reloads(reloader.requests());
  Upgrader upgrader(gateway, manager);
  gateway.answer_upgrades(upgrader.requests());
  if (predecessor) gateway.accept_later();
  if (const auto started = gateway.start(); !started) {
    log_failed_start(started.error(), moved);
    return {.status = 1};
  }
  log_addresses(plan, gateway);
  if (predecessor) take_over(gateway, *predecessor);
  manager.ready(status_text(gateway));
  int received = welcome_when_ready(plan, gateway, signals);
  received = SignalWait(gateway, reloader, upgrader, manager, signals).wait_for_stop(received);
  const bool is_replaced = received == SIGUSR2;
  if (!is_replaced) manager.stopping();
  const StopTimes times = gateway.stop_times(is_replaced);
  deadline.emplace(times.deadline + kStopGrace);
  log_stop(received, times);
  // Whoever connects from here on is refused, or reaches the successor.
  if (predecessor) predecessor->close_sockets();
  stop_signals.emplace([&gateway] { gateway.hurry_stop(); });
  const std::size_t dropped = gateway.stop(times);
  stop_signals->forget();
  log::info("stopped", {{"connections_dropped", dropped}});
  return {.hurried_by = stop_signals->received()};
}

}  // namespace

int run(ServePlan plan, const ReadAgain& read_again) {
  const Ended ended = serve(std::move(plan), read_again);
  if (ended.hurried_by != 0) end_by_signal(ended.hurried_by);
  return ended.status;
}

}  // namespace fanfare::gateway
