#pragma once
// What a listener serves on one loop: a router that is replaced while connections are open. Loop thread.

#include <memory>
#include <utility>

#include "server/router.h"
#include "session/http_service.h"

namespace fanfare::server {

class ReplaceableRouter : public session::HttpService {
 public:
  explicit ReplaceableRouter(std::unique_ptr<Router> router) : router_(std::move(router)) {}

  // From the next request on. Not within a call of this object. Connections stay open, and requests that are being answered
  // are answered by the mounts that began.
  void replace(std::unique_ptr<Router> router) { router_ = std::move(router); }

  session::BodyPlan plan_body(const session::HttpConnection& connection, const http::Request& head) override {
    return router_->plan_body(connection, head);
  }
  void on_request(session::HttpConnection& connection, const http::Request& request) override {
    router_->on_request(connection, request);
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection& connection,
                                      const http::Request& request) override {
    return router_->on_upgrade(connection, request);
  }
  void on_refusal(http::Headers headers, session::HttpResponse& response) override {
    router_->on_refusal(headers, response);
  }
  void on_answered(int status) override { router_->on_answered(status); }
  void on_turn_share_spent() override { router_->on_turn_share_spent(); }

 private:
  std::unique_ptr<Router> router_;
};

}  // namespace fanfare::server
