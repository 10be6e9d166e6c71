#pragma once
// Routes the requests of one listener on one loop to their mounts. The router makes the decisions common to
// all mounts, in this order:
//
//   "OPTIONS *"                          204 with Allow (RFC9110§9.3.7)
//   a target without a path (CONNECT)    501
//   a malformed escape in the path       400
//   a host that is not served            403
//   a page that is not allowed           403
//   no mount at the path                 404
//   a preflight of a page                204 (the Fetch standard's CORS protocol), unless the mount itself
//                                        accepts OPTIONS
//   a WebSocket where none is offered    404
//   a plain GET where only a WebSocket   426 with Upgrade (RFC9110§15.5.22)
//   another method                       405 with Allow (RFC9110§15.5.6)
//   a WebSocket while the server drains  503 with Retry-After
//   no room for new work                 the WorkGuard's answer, such as 503
//   a caller that is not admitted        the Admission's answer, such as 401
//
// Mounts are tried in the order in which they were mounted. The first one whose pattern and method match
// serves the request. Host and page are checked only if the router has BrowserRules.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/admission.h"
#include "server/browser_rules.h"
#include "server/loop_context.h"
#include "server/mount.h"
#include "server/path_pattern.h"
#include "server/work_guard.h"
#include "session/http_service.h"

namespace fanfare::server {

// Counts the events of a listener. Called on the loop's thread; must outlive the router.
class RouterObserver {
 public:
  virtual ~RouterObserver() = default;
  virtual void on_answered(int status) = 0;
  virtual void on_turn_share_spent() = 0;
};

struct RouterOptions {
  // Empty: every host and every page is allowed, and answers have no CORS fields. For programs that apply
  // their own rules.
  std::optional<BrowserRules> browsers = {};
  bool on_loopback = false;  // see Target
  // The text of a 404, without its newline.
  std::string not_found = "there is nothing here";
  RouterObserver* observer = nullptr;
  // Null: everyone is admitted. Must outlive the router.
  Admission* admission = nullptr;
  // While it is true, upgrades are refused with 503: this server is about to be taken out of service. Null: never. Must
  // outlive the router.
  const std::atomic<bool>* is_draining = nullptr;
  // Null: there is always room for new work. Must outlive the router.
  WorkGuard* guard = nullptr;
};

// A longer body is read only for callers who are admitted, because it costs memory.
inline constexpr std::uint64_t kBodyBeforeAdmissionMax = std::uint64_t{64} << 10;

class Router final : public session::HttpService {
 public:
  // The routers of one loop share its context, which must have been made for the loop that calls the router.
  explicit Router(std::shared_ptr<LoopContext> loop, RouterOptions options = {})
      : options_(std::move(options)), loop_(std::move(loop)) {}

  // Must be called before the first request.
  void mount(PathPattern path, std::shared_ptr<Mount> mount);

  session::BodyPlan plan_body(const session::HttpConnection& session, const http::Request& head) override;
  void on_request(session::HttpConnection& session, const http::Request& request) override;
  session::UpgradeDecision on_upgrade(session::HttpConnection& session,
                                      const http::Request& request) override;
  void on_refusal(http::Headers headers, session::HttpResponse& response) override;
  void on_answered(int status) override;
  void on_turn_share_spent() override;

 private:
  struct Entry {
    PathPattern path;
    std::shared_ptr<Mount> mount;
  };
  // The result for a request: the mount that serves it, or the router's own answer.
  struct Found {
    Mount* mount = nullptr;
    std::optional<session::HttpResponse> answer;
    std::optional<session::UpgradeDecision> refused_upgrade;
    PathPattern::Match match;
    Caller caller = Caller::program;
    bool is_open = false;
    bool is_vital = false;
    std::shared_ptr<Admitted> admitted;
  };
  // The combined offers of all mounts at one path.
  struct Offers;

  Found find(session::HttpConnection& session, const http::Request& request,
             const std::vector<std::string>& segments, bool wants_websocket) const;
  // Sets the answer or the refused upgrade, if there is no room for the request.
  void ask_guard(const http::Request& request, bool wants_websocket, Found& found) const;
  // Sets `admitted`, or the answer.
  void admit(const session::HttpConnection& session, const http::Request& request, bool wants_websocket,
             Found& found) const;
  // Whether there is no room, or the mount may not be used by this caller, whose long body is then not read.
  bool refuses_early(const session::HttpConnection& session, const http::Request& head, const Offer& offer,
                     const PathPattern::Match& match);
  static std::optional<session::HttpResponse> refuse_foreign(const http::Request& request, const Found& found,
                                                             const BrowserRules& rules, bool is_upgrade);
  session::HttpResponse answer_to(const http::Request& request, const Offers& offers,
                                  const BrowserRules* rules, bool wants_websocket) const;
  session::HttpResponse about_the_server(const http::Request& request) const;

  const RouterOptions options_;
  const std::shared_ptr<LoopContext> loop_;  // outlives the mounts
  std::vector<Entry> entries_;
  bool plans_bodies_ = false;  // one of the mounts does
  // Of the request whose head was just planned; on_request() for it is the next call.
  struct EarlyRefusal {
    session::SessionId connection;
    session::HttpResponse answer;
  };
  std::optional<EarlyRefusal> early_refusal_;
};

}  // namespace fanfare::server
