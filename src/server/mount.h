#pragma once
// What a server offers at a path: a program's handler, JSON-RPC, a page, files. A Router (router.h) finds the
// mount, checks host, page, method and upgrade, and passes on the requests that the mount must answer.
//
// One mount object serves one loop or several: the router calls it on its own loop's thread.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/admission.h"
#include "server/browser_rules.h"
#include "server/loop_context.h"
#include "server/path_pattern.h"
#include "session/http_connection.h"
#include "session/http_service.h"

namespace fanfare::server {

// A request that has reached its mount. All members but the loop are borrowed for the call.
struct Target {
  // This loop's timers and states. Lives as long as the mounts of the loop.
  LoopContext& loop;
  const http::Request& request;
  const PathPattern::Match& match;
  // The kind of caller; Caller::program if the listener has no rules.
  Caller caller = Caller::program;
  // Only this machine can connect to the listener, and its browsers connect directly.
  bool on_loopback = false;
  // From the router's Admission; null without one, and at a mount that is open.
  std::shared_ptr<Admitted> admitted = {};
};

// What a mount offers for a path.
struct Offer {
  // The methods that on_request() accepts, separated by ", ": "GET, POST". GET includes HEAD. Valid during
  // the mount's lifetime.
  std::string_view methods;
  // A GET that asks for a WebSocket goes to on_upgrade().
  bool has_websocket = false;
  // Not empty: the path does not exist (404), and this line gives the reason. Valid during the mount's
  // lifetime.
  std::string_view missing = {};
  // How on_request() takes a request's body. Read only if Mount::plans_bodies().
  session::BodyPlan body = {};
  // Rules that replace the listener's; null: the listener's apply. Valid during the mount's lifetime.
  const BrowserRules* browsers = nullptr;
  // Served without asking the router's Admission.
  bool is_open = false;
  // Served without asking the router's WorkGuard: what an operator must reach when the server has too much to do.
  bool is_vital = false;
};

// Why a request was refused before it reached its mount.
enum class Foreign : std::uint8_t {
  host,    // a Host that is not served here
  origin,  // a page that is not allowed
};

class Mount {
 public:
  Mount() = default;
  virtual ~Mount() = default;
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  virtual Offer offer(const PathPattern::Match& match) const = 0;
  // Whether an offer has a plan of its own for bodies. It spares other requests a second look at their path.
  virtual bool plans_bodies() const { return false; }
  // Handles a request with one of the offered methods. session.respond() answers it, now or later.
  virtual void on_request(session::HttpConnection& session, const Target& target) = 0;
  // Called only if has_websocket was offered.
  virtual session::UpgradeDecision on_upgrade(session::HttpConnection& session, const Target& target);
  // A request for this path was answered 403. Used only for counting.
  virtual void on_foreign(const PathPattern::Match& /*match*/, Foreign /*why*/, bool /*is_upgrade*/) {}
};

}  // namespace fanfare::server
