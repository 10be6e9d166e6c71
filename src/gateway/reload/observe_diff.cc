#include "gateway/reload/observe_diff.h"

#include <string>
#include <utility>

#include "gateway/reload/shown_value.h"
#include "upstream/url.h"

namespace fanfare::gateway {
namespace {

using gateway::shown;

std::string shown(log::Format format) {
  return format == log::Format::json ? "json" : "text";
}
std::string shown(AccessLogPlan::Errors errors) {
  return errors == AccessLogPlan::Errors::all ? "all" : "sampled";
}
std::string shown(TrustedClients clients) {
  switch (clients) {
    case TrustedClients::none:
      return "none";
    case TrustedClients::loopback:
      return "loopback";
    case TrustedClients::all:
      return "all";
  }
  return {};
}
// 0.25
std::string shown(double part) {
  std::string text = std::to_string(part);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

class ObserveDiffer {
 public:
  explicit ObserveDiffer(std::vector<PlanChange>& changes) : changes_(changes) {}

  void compare_access_log(const AccessLogPlan& from, const AccessLogPlan& to) {
    const std::string name = "server.accessLog";
    if (from.path.empty() && !to.path.empty()) return add(PlanChange::Kind::added, name + ": " + to.path);
    if (to.path.empty() && !from.path.empty()) return add(PlanChange::Kind::removed, name + ": " + from.path);
    compare(name + ".path", from.path, to.path);
    compare(name + ".format", from.format, to.format);
    compare(name + ".sample", from.sample, to.sample);
    compare(name + ".slowerThan", from.slower_than, to.slower_than);
    compare(name + ".errors", from.errors, to.errors);
    compare(name + ".queueLines", from.queued_lines_max, to.queued_lines_max);
  }
  void compare_request_ids(const ObservePlan& from, const ObservePlan& to) {
    compare("server.requestIds.enabled", from.request_ids, to.request_ids);
    compare("server.requestIds.trust", from.trusted, to.trusted);
  }
  void compare_tracing(const TracingPlan& from, const TracingPlan& to) {
    const std::string shown_from = upstream::redacted(from.endpoint);
    const std::string shown_to = upstream::redacted(to.endpoint);
    if (from.endpoint.empty() && !to.endpoint.empty())
      return add(PlanChange::Kind::added, "tracing: " + shown_to);
    if (to.endpoint.empty() && !from.endpoint.empty())
      return add(PlanChange::Kind::removed, "tracing: " + shown_from);
    if (from.endpoint != to.endpoint) {
      add(PlanChange::Kind::changed, shown_from == shown_to
                                         ? "tracing.endpoint: a part that is not shown"
                                         : "tracing.endpoint: " + shown_from + " -> " + shown_to);
    }
    if (from.headers != to.headers) add(PlanChange::Kind::changed, "tracing.headers");
    compare("tracing.serviceName", from.service_name, to.service_name);
    if (from.attributes != to.attributes) add(PlanChange::Kind::changed, "tracing.attributes");
    compare("tracing.sample", from.sample, to.sample);
    compare("tracing.parentBased", from.parent_based, to.parent_based);
    compare("tracing.timeout", from.timeout, to.timeout);
    compare("tracing.interval", from.interval, to.interval);
    compare("tracing.batchSpans", from.batch_spans_max, to.batch_spans_max);
    compare("tracing.queueSpans", from.queued_spans_max, to.queued_spans_max);
  }
  void compare_log(const ObservePlan& from, const ObservePlan& to) {
    compare("logFormat", from.log_format, to.log_format);
  }

 private:
  void add(PlanChange::Kind kind, std::string text) {
    changes_.push_back({.kind = kind, .text = std::move(text)});
  }
  template <typename Value>
  void compare(const std::string& name, const Value& from, const Value& to) {
    if (from != to) add(PlanChange::Kind::changed, name + ": " + shown(from) + " -> " + shown(to));
  }

  std::vector<PlanChange>& changes_;
};

}  // namespace

void add_changes_of_observing(const ObservePlan& running, const ObservePlan& wanted,
                              std::vector<PlanChange>& changes) {
  ObserveDiffer differ(changes);
  differ.compare_access_log(running.access_log, wanted.access_log);
  differ.compare_request_ids(running, wanted);
  differ.compare_tracing(running.tracing, wanted.tracing);
  differ.compare_log(running, wanted);
}

}  // namespace fanfare::gateway
