#include "gateway/admin_page.h"

#include <memory>
#include <utility>

#include "gateway/metrics.h"
#include "gateway/web_page.h"
#include "server/mount.h"
#include "server/path_pattern.h"

namespace fanfare::gateway {
namespace {

class TextMount final : public server::Mount {
 public:
  TextMount(std::function<std::string()> text, std::string_view content_type, bool is_open)
      : text_(std::move(text)), content_type_(content_type), is_open_(is_open) {}
  server::Offer offer(const server::PathPattern::Match&) const override {
    return {.methods = "GET", .is_open = is_open_};
  }
  void on_request(session::HttpConnection& session, const server::Target&) override {
    session.respond({.content_type = std::string(content_type_), .body = text_(), .headers = {}});
  }

 private:
  const std::function<std::string()> text_;
  const std::string_view content_type_;
  const bool is_open_;
};

std::string admin_about(const std::string& version, bool has_access) {
  return R"({"version":")" + version +
         R"(","networks":[],"streams":null,"canvas":null,"metrics":"/metrics","admin":{"path":"/v1","url":null},"access":)" +
         (has_access ? R"({"anonymous":false})" : "null") + "}\n";
}

}  // namespace

void mount_admin_page(server::Router& router, const AdminPlan& plan, bool has_access,
                      const std::function<std::string()>& metrics) {
  const auto mount = [&](std::string_view path, std::shared_ptr<server::Mount> what) {
    router.mount(*server::PathPattern::parse(path), std::move(what));
  };
  // With access control, as guarded as the API itself.
  mount("/metrics", std::make_shared<TextMount>(metrics, kMetricsContentType, false));
  mount("/fanfare.json",
        std::make_shared<TextMount>([text = admin_about(plan.version, has_access)] { return text; },
                                    "application/json", true));
  mount("/{file...}", make_web_page(plan.web_directory));
}

}  // namespace fanfare::gateway
