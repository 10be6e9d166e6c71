#include "gateway/upgrade/upgrader.h"

#include <chrono>
#include <csignal>
#include <utility>

#include "base/log.h"

namespace fanfare::gateway {

Upgrader::Upgrader(Gateway& gateway, ServiceManager& manager)
    : gateway_(gateway), manager_(manager), file_(file_of_this_process()) {}

void Upgrader::begin() {
  for (auto& done : requests_.take()) asking_.push_back(std::move(done));
  if (is_under_way()) {
    log::warn("upgrade_under_way", {{"pid", successor_->pid()}});
    return;
  }
  if (const std::string problem = start(); !problem.empty()) return fail(problem);
  log::info("upgrade_begun", {{"pid", successor_->pid()}});
}

std::string Upgrader::start() {
  if (const std::string obstacle = gateway_.upgrade_obstacle(); !obstacle.empty()) return obstacle;
  const auto program = program_again(file_);
  if (!program) return program.error();
  const auto sockets = gateway_.copy_sockets();
  if (!sockets) return sockets.error();
  std::vector<std::string> networks;
  for (const NetworkState& state : gateway_.states()) {
    if (state.ready) networks.push_back(state.name);
  }
  auto successor = Successor::start(*program, *sockets, networks);
  if (!successor) return successor.error();
  successor_ = std::make_unique<Successor>(*std::move(successor));
  until_ = system_clock().now() + gateway_.upgrade_timeout();
  reloaded_ = false;
  return {};
}

bool Upgrader::go_on() {
  switch (successor_->look(kLook)) {
    case Successor::State::starting:
      if (system_clock().now() < until_) return false;
      fail(successor_->problem(
          "it was not ready within " +
          std::to_string(
              std::chrono::duration_cast<std::chrono::milliseconds>(gateway_.upgrade_timeout()).count()) +
          " ms (server.upgradeTimeout)"));
      return false;
    case Successor::State::ended:
      fail(successor_->problem());
      return false;
    case Successor::State::ready:
      return switch_over();
  }
  return false;
}

bool Upgrader::switch_over() {
  const int pid = successor_->pid();
  if (!gateway_.stop_accepting()) {
    fail("it was ready, but a thread of this process is stuck and did not stop accepting connections");
    return false;
  }
  if (!successor_->let_accept(kAcceptWait)) {
    fail(successor_->problem("it was ready, but did not begin to accept connections"));
    return false;
  }
  manager_.main_process(pid);
  successor_->release();
  successor_.reset();
  if (reloaded_) ::kill(pid, SIGHUP);
  log::info("upgraded", {{"pid", pid}});
  report({.pid = pid, .problem = {}});
  return true;
}

void Upgrader::abandon() {
  if (is_under_way()) fail("this process is being stopped");
}

// By value: it may be the successor's.
void Upgrader::fail(std::string problem) {
  successor_.reset();
  gateway_.accept_again();
  log::error("upgrade_failed", {{"error", problem}});
  report({.pid = 0, .problem = std::move(problem)});
}

void Upgrader::report(const UpgradeReport& report) {
  for (auto& done : std::exchange(asking_, {})) done(report);
}

}  // namespace fanfare::gateway
