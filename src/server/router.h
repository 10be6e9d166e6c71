#pragma once
// One listener on one loop: from a request's path to its mount, with everything that is the same for all
// mounts decided here, in this order:
//
//   "OPTIONS *"                          204 with Allow (RFC9110§9.3.7)
//   a target that is no path (CONNECT)   501
//   a malformed escape in the path       400
//   a host that is not served            403
//   a page that may not ask              403
//   no mount at the path                 404
//   a preflight of a page                204 (the Fetch standard's CORS protocol), where the mount takes no
//                                        OPTIONS itself
//   a WebSocket where there is none      404
//   a plain GET where only a WebSocket   426 with Upgrade (RFC9110§15.5.22)
//   another method                       405 with Allow (RFC9110§15.5.6)
//
// Mounts are tried in the order in which they were mounted; the first whose pattern and method match serves
// the request. Host and page are checked only where the router has BrowserRules.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/browser_rules.h"
#include "server/mount.h"
#include "server/path_pattern.h"
#include "session/http_service.h"

namespace fanfare::server {

// What happens at a listener, to be counted. On the loop's thread; outlives the router.
class RouterObserver {
 public:
  virtual ~RouterObserver() = default;
  virtual void on_answered(int status) = 0;
  virtual void on_turn_share_spent() = 0;
};

struct RouterOptions {
  // Empty: every host is served and every page may ask, without a word about it in the answers. For programs
  // that have rules of their own.
  std::optional<BrowserRules> browsers = {};
  bool on_loopback = false;  // see Target
  // The line that a 404 says; without its newline.
  std::string not_found = "there is nothing here";
  RouterObserver* observer = nullptr;
};

class Router final : public session::HttpService {
 public:
  explicit Router(RouterOptions options = {}) : options_(std::move(options)) {}

  // Before the first request.
  void mount(PathPattern path, std::shared_ptr<Mount> mount);
  // What the loop's mounts stand on, and others of the loop may refer to: it lives as long as this.
  void keep(std::shared_ptr<const void> foundation) { kept_.push_back(std::move(foundation)); }

  void on_request(session::ServerSession& session, const http::Request& request) override;
  session::UpgradeDecision on_upgrade(session::ServerSession& session, const http::Request& request) override;
  void on_refusal(http::Headers headers, session::HttpResponse& response) override;
  void on_answered(int status) override;
  void on_turn_share_spent() override;

 private:
  struct Entry {
    PathPattern path;
    std::shared_ptr<Mount> mount;
  };
  // What was found for a request: the mount that serves it, or the answer that the router gives.
  struct Found {
    Mount* mount = nullptr;
    std::optional<session::HttpResponse> answer;
    PathPattern::Match match;
    Caller caller = Caller::program;
  };
  // What the mounts at one path have together.
  struct Offers;

  Found find(session::ServerSession& session, const http::Request& request,
             const std::vector<std::string>& segments, bool wants_websocket) const;
  std::optional<session::HttpResponse> refuse_foreign(const http::Request& request, const Entry* entry,
                                                      const PathPattern::Match& match,
                                                      const BrowserRules& rules, bool is_upgrade) const;
  session::HttpResponse answer_to(const http::Request& request, const Offers& offers,
                                  const BrowserRules* rules, bool wants_websocket) const;
  session::HttpResponse about_the_server(const http::Request& request) const;

  const RouterOptions options_;
  std::vector<std::shared_ptr<const void>> kept_;  // outlives the mounts
  std::vector<Entry> entries_;
};

}  // namespace fanfare::server
