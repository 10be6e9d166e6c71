#include "gateway/reload/reloader.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "access/plan.h"
#include "base/log.h"
#include "gateway/places.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kBefore = "the one before";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

void log_access(const ServePlan& plan) {
  log::info("access_reloaded", {{"roles", plan.access->roles.size()},
                                {"keys", plan.access->keys.size()},
                                {"users", plan.access->users.size()}});
}

}  // namespace

Reloader::Reloader(Gateway& gateway, const ServePlan& plan, ReadAgain read_again)
    : gateway_(gateway),
      read_again_(std::move(read_again)),
      has_access_(plan.access != nullptr && read_again_),
      has_certificates_(
          std::ranges::any_of(plan.listeners, [](const auto& one) { return one.at.tls.has_value(); })),
      check_every_(plan.access_check_every),
      files_(plan.access_files),
      watch_(files_) {}

void Reloader::look() {
  if (!has_access_) return;
  gateway_.keep_cookie();
  if (watch_.look()) reload_access();
}

void Reloader::reload_all() {
  ReloadReport report;
  reload_certificates(report);
  if (has_access_) gateway_.keep_cookie();
  if (read_again_) reload_plan(report);
  // logrotate has renamed its file. After the plan: one that another path replaces is not created again.
  gateway_.reopen_access_log();
  report.applied = report.errors.empty();
  for (ReloadRequests::Done& done : requests_.take()) done(report);
}

void Reloader::reload_certificates(ReloadReport& report) {
  report.errors = gateway_.reload_certificates();
  for (const std::string& error : report.errors) {
    log::error("certificate_reload_failed", {{"error", error}, {"still_used", kBefore}});
  }
  if (has_certificates_ && report.errors.empty()) log::info("certificates_reloaded");
}

void Reloader::reload_plan(ReloadReport& report) {
  const auto failed = [&](const std::string& text) {
    for (std::string& error : lines_of(text)) {
      log::error("configuration_reload_failed", {{"error", error}, {"still_used", kBefore}});
      report.errors.push_back(std::move(error));
    }
  };
  const auto wanted = read_again_();
  if (!wanted) return failed(wanted.error());
  // Also of settings that need a restart: the next start or upgrade would fail.
  const std::vector<std::string> problems = problems_with_places(*wanted);
  std::ranges::for_each(problems, failed);
  if (!problems.empty()) return;
  const PlanDiff diff = gateway_.reload(*wanted);
  if (!diff.refusal.empty()) return failed(diff.refusal);
  report_changes(diff, report);
  if (!has_access_) return;
  log_access(diff.result);
  watch_files_of(diff.result);
}

void Reloader::report_changes(const PlanDiff& diff, ReloadReport& report) const {
  for (const PlanChange& change : diff.changes) {
    if (change.kind == PlanChange::Kind::needs_restart) {
      log::warn("setting_needs_restart", {{"setting", change.text}});
      report.needs_restart.push_back(change.text);
    } else {
      log::info("setting_changed", {{"change", change.line()}});
      report.changes.push_back(change.line());
    }
  }
  log::info("configuration_reloaded",
            {{"changes", report.changes.size()}, {"need_restart", report.needs_restart.size()}});
}

void Reloader::reload_access() {
  const auto plan = read_again_();
  const auto done = plan ? gateway_.reload_access(*plan) : std::unexpected(plan.error());
  if (!done) {
    for (const std::string& error : lines_of(done.error())) {
      log::error("access_reload_failed", {{"error", error}, {"still_used", kBefore}});
    }
    return;
  }
  log_access(*plan);
  watch_files_of(*plan);
}

// It may name other files.
void Reloader::watch_files_of(const ServePlan& plan) {
  check_every_ = plan.access_check_every;
  if (plan.access_files == files_) return;
  files_ = plan.access_files;
  // They were read before they are watched, so they may have changed in between.
  watch_ = FileWatch(files_);
  watch_.forget();
}

}  // namespace fanfare::gateway
