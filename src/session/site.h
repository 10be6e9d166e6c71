#pragma once
// What a listening port serves: plain HTTP requests are answered by the site, upgrades are sent on to an
// endpoint or refused. One site per loop, called on its thread.

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "http/request_parser.h"
#include "session/endpoint.h"
#include "session/session.h"
#include "ws/handshake.h"

namespace fanfare::session {

class ServerSession;

// Checked before it goes out (http/answer.h): headers that the engine writes itself are left out, an invalid
// status becomes a 500.
struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<ws::OwnedHeader> headers;
  // Kept until the answer has been sent, or can no longer be: what counts its memory.
  std::shared_ptr<const void> until_sent = {};
};

// The upgrade goes on: the handshake is checked against the policy and the endpoint gets the session.
struct Acceptance {
  Endpoint* endpoint = nullptr;                  // outlives the session
  const ws::UpgradePolicy* policy = nullptr;     // good for the call
  std::unique_ptr<SessionData> data;             // becomes the session's; destroyed if the handshake fails
  std::optional<ws::UpgradeAccept> agreed = {};  // of the same policy, where the site has checked already
  std::vector<ws::OwnedHeader> headers = {};     // more fields of the 101 (UpgradeAccept::response)
};
// The decision takes time: session.accept_upgrade() or session.respond() follows, with the session's id as the
// way back to it. Meanwhile what the client sends waits.
struct DecideLater {};
using UpgradeDecision = std::variant<Acceptance, HttpResponse, DecideLater>;

// The handshake of a request, checked against a policy.
std::expected<ws::UpgradeAccept, ws::UpgradeRefusal> check_upgrade(const http::Request& request,
                                                                   const ws::UpgradePolicy& policy);
HttpResponse response_of(ws::UpgradeRefusal refusal);

class Site {
 public:
  virtual ~Site() = default;
  // A whole request, borrowed for the call. The answer is session.respond(), now or later (keep the id); the
  // next request of the connection is read after it.
  virtual void on_request(ServerSession& session, const http::Request& request) = 0;
  // A GET that asks for a WebSocket, rightly or not.
  virtual UpgradeDecision on_upgrade(ServerSession& session, const http::Request& request) = 0;
  // An answer that the session is about to give by itself to a request that is not passed on (400, 408, 413,
  // ...), to add headers to. `headers`: the request's, borrowed for the call; empty if its head was not read.
  virtual void on_refusal(http::Headers /*headers*/, HttpResponse& /*response*/) {}
  // After each answer, those the session gives by itself (400, 408, ...) and accepted upgrades (101)
  // included.
  virtual void on_answered(int /*status*/) {}
  // A connection has had its share of this turn (requests_per_turn_max) and goes on in the next: only to be
  // counted.
  virtual void on_turn_share_spent() {}
};

}  // namespace fanfare::session
