#include "gateway/web_page.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "base/log.h"
#include "gateway/mount_plans.h"
#include "server/static_files.h"

namespace fanfare::gateway {
namespace {

class MissingPage final : public server::Mount {
 public:
  server::Offer offer(const server::PathPattern::Match&) const override {
    return {.methods = {}, .missing = "the files of the page cannot be opened"};
  }
  void on_request(session::HttpConnection&, const server::Target&) override {}
};

std::string network_text(const NetworkPlan& network, bool is_routed) {
  const std::string chain = network.chain_id ? std::to_string(*network.chain_id) : "null";
  std::string development = "null";
  if (const auto* dev = std::get_if<DevBackend>(&network.backend)) {
    const auto block_time = std::chrono::duration_cast<std::chrono::milliseconds>(dev->block_time);
    development = "{\"block_time_ms\":" + std::to_string(block_time.count()) + "}";
  }
  return R"({"project":")" + network.project + R"(","chain_id":)" + chain + R"(,"path":")" +
         (is_routed ? "/" + network.project + "/evm/" + chain : "/") + R"(","development":)" + development +
         "}";
}

std::string access_text(const ServePlan& plan) {
  if (plan.access == nullptr) return "null";
  return plan.access->anonymous_roles.empty() ? R"({"anonymous":false})" : R"({"anonymous":true})";
}

// The admin API on the same port, or the page on its own one.
std::string admin_text(const ServePlan& plan, const ListenerPlan& listener) {
  if (!plan.admin) return "null";
  if (serves_admin(listener)) return R"({"path":"/admin/v1","url":null})";
  for (const server::ListenerOptions& at : plan.admin->listeners) {
    if (!at.unix_path.empty() || at.port == 0 || at.host.contains(':')) continue;
    return R"({"path":null,"url":"http://)" + at.host + ":" + std::to_string(at.port) + R"(/"})";
  }
  return R"({"path":null,"url":null})";
}

std::string canvas_text(const ServePlan& plan, const ListenerPlan& listener) {
  if (!plan.canvas || !serves_canvas(listener)) return "null";
  std::string rooms;
  for (const auto& room : plan.canvas->rooms) rooms += (rooms.empty() ? "\"" : ",\"") + room.spec.name + "\"";
  return R"({"path":"/canvas","rooms":[)" + rooms + "]}";
}

}  // namespace

std::shared_ptr<server::Mount> make_web_page(const std::string& directory) {
  auto files = server::StaticFiles::open(
      {.directory = directory,
       .immutable_directory = "assets",
       .headers = {{.name = "Content-Security-Policy", .value = std::string(kWebPagePolicy)},
                   {.name = "Referrer-Policy", .value = "no-referrer"},
                   {.name = "Cross-Origin-Opener-Policy", .value = "same-origin"}},
       .is_open = true});
  if (files) return *std::move(files);
  log::error("web_page_missing", {{"error", files.error()}});
  return std::make_shared<MissingPage>();
}

std::string about_text(const ServePlan& plan, std::string_view version) {
  const auto served = std::ranges::find_if(plan.listeners, serves_web);
  if (served == plan.listeners.end()) return "{}\n";
  std::string networks;
  for (const NetworkPlan& network : plan.networks) {
    networks += (networks.empty() ? "" : ",") + network_text(network, is_routed(*served));
  }
  const auto path_if = [&](std::string_view path) {
    const bool is_there =
        std::ranges::any_of(served->mounts, [&](const MountPlan& mount) { return mount.path == path; });
    return is_there ? "\"" + std::string(path) + "\"" : "null";
  };
  return R"({"version":")" + std::string(version) + R"(","networks":[)" + networks + R"(],"streams":)" +
         path_if("/streams") + R"(,"canvas":)" + canvas_text(plan, *served) + R"(,"metrics":)" +
         path_if("/metrics") + R"(,"admin":)" + admin_text(plan, *served) + R"(,"access":)" +
         access_text(plan) + "}\n";
}

}  // namespace fanfare::gateway
