#pragma once
// The content of a listening port: the site answers plain HTTP requests, and passes upgrades to an endpoint
// or rejects them. One site per loop, called on its thread.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "http/request_parser.h"
#include "session/endpoint.h"
#include "session/session_data.h"
#include "ws/handshake.h"

namespace fanfare::session {

class HttpConnection;

// Checked before it is sent (http/answer.h): headers that the engine writes itself are omitted, and an
// invalid status becomes a 500.
struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<ws::OwnedHeader> headers;
  // Kept until the response has been sent, or can no longer be sent; used to account for its memory.
  std::shared_ptr<const void> until_sent = {};
};

// Accepts the upgrade: the handshake is checked against the policy, and the endpoint gets the session.
struct Acceptance {
  Endpoint* endpoint = nullptr;                  // must outlive the session
  const ws::UpgradePolicy* policy = nullptr;     // valid during the call
  std::unique_ptr<SessionData> data;             // becomes the session's; destroyed if the handshake fails
  std::optional<ws::UpgradeAccept> agreed = {};  // from the same policy, if the site has already checked
  std::vector<ws::OwnedHeader> headers = {};     // additional fields of the 101 (UpgradeAccept::response)
};
// Decide later with connection.accept_upgrade() or respond(); keep the connection's id to find it again. Data
// that the client sends meanwhile waits.
struct DecideLater {};
using UpgradeDecision = std::variant<Acceptance, HttpResponse, DecideLater>;

// Checks the handshake of a request against a policy.
std::expected<ws::UpgradeAccept, ws::UpgradeRefusal> check_upgrade(const http::Request& request,
                                                                   const ws::UpgradePolicy& policy);
HttpResponse response_of(ws::UpgradeRefusal refusal);

// How a request's body is taken.
struct BodyPlan {
  // The request is passed on as soon as its head has come, and the handler takes the body with receive_body().
  bool in_pieces = false;
  std::optional<std::uint64_t> bytes_max = {};  // beyond it: 413; empty: HttpSettings::body_bytes_max
};

class HttpService {
 public:
  virtual ~HttpService() = default;
  // Called for a request with a body, before on_request(); `head` is borrowed for the call. It only plans: the
  // request may still be refused. With `in_pieces`, on_request() for this head is the next call.
  virtual BodyPlan plan_body(const HttpConnection& /*connection*/, const http::Request& /*head*/) {
    return {};
  }
  // A request, borrowed for the call; complete, unless its body is taken in pieces. Answer with
  // connection.respond(), now or later (keep the id). The connection's next request is read after that.
  virtual void on_request(HttpConnection& connection, const http::Request& request) = 0;
  // A GET that requests a WebSocket, correctly or not.
  virtual UpgradeDecision on_upgrade(HttpConnection& connection, const http::Request& request) = 0;
  // A request that is not passed on is about to be answered by the session itself (400, 408, 413, ...); on_refusal() follows.
  virtual void on_unreadable(HttpConnection& /*connection*/) {}
  // Adds headers to a response that the session itself gives to a request it does not pass on (400, 408, 413,
  // ...). `headers`: the request's, borrowed for the call; empty if its head was not read.
  virtual void on_refusal(http::Headers /*headers*/, HttpResponse& /*response*/) {}
  // Called after each response, including those of the session itself (400, 408, ...) and accepted upgrades
  // (101).
  virtual void on_answered(int /*status*/) {}
  // A connection has used its share of this turn (requests_per_turn_max) and continues in the next. For
  // counting only.
  virtual void on_turn_share_spent() {}
};

}  // namespace fanfare::session
