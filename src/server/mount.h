#pragma once
// What stands at a path of a server: a method of a program, JSON-RPC, a page, files. A Router (router.h)
// finds the mount, decides about hosts, pages, methods and upgrades, and hands over what is left.
//
// One mount object serves one loop or several: the router calls it on its own loop's thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server/browser_rules.h"
#include "server/path_pattern.h"
#include "session/http_service.h"
#include "session/server_session.h"

namespace fanfare::server {

// A request that has reached its mount. All of it is borrowed for the call.
struct Target {
  const http::Request& request;
  const PathPattern::Match& match;
  // Who asks, as far as a browser says; Caller::program where the listener has no rules.
  Caller caller = Caller::program;
  // Only this machine can connect to the listener, and browsers on it do so directly.
  bool on_loopback = false;
};

// What a mount has at a place.
struct Offer {
  // The methods that on_request() takes, separated by ", ": "GET, POST". GET takes HEAD with it. Good as long
  // as the mount.
  std::string_view methods;
  // A GET that asks for a WebSocket goes to on_upgrade().
  bool has_websocket = false;
  // Not empty: nothing is here after all, and this line says why (404). Good as long as the mount.
  std::string_view missing = {};
  // Instead of the listener's. Null: those. Good as long as the mount.
  const BrowserRules* browsers = nullptr;
};

// Why a request was refused before it came to its mount.
enum class Foreign : std::uint8_t {
  host,    // a Host that is not served here
  origin,  // a page that may not ask
};

class Mount {
 public:
  Mount() = default;
  virtual ~Mount() = default;
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  virtual Offer offer(const PathPattern::Match& match) const = 0;
  // A request with one of the offered methods. session.respond() answers it, now or later.
  virtual void on_request(session::ServerSession& session, const Target& target) = 0;
  // Only where has_websocket was offered.
  virtual session::UpgradeDecision on_upgrade(session::ServerSession& session, const Target& target);
  // A request for this place was answered 403: only to be counted.
  virtual void on_foreign(const PathPattern::Match& /*match*/, Foreign /*why*/, bool /*is_upgrade*/) {}
};

}  // namespace fanfare::server
