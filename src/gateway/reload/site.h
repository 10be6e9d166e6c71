#pragma once
// What a listener serves on one loop: a router that a reload replaces. Loop thread.

#include <memory>
#include <utility>

#include "gateway/observe/loop_watch.h"
#include "server/router.h"
#include "session/http_service.h"

namespace fanfare::gateway {

class Site final : public session::HttpService {
 public:
  // `watch`: null if nothing is recorded.
  explicit Site(std::unique_ptr<server::Router> router, LoopWatch* watch = nullptr)
      : router_(std::move(router)), watch_(watch) {}

  // From the next request on. Not within a call of this object. Connections stay open, and requests that are being answered
  // are answered by the mounts that began.
  void replace(std::unique_ptr<server::Router> router) { router_ = std::move(router); }

  session::BodyPlan plan_body(const session::HttpConnection& connection, const http::Request& head) override {
    return router_->plan_body(connection, head);
  }
  void on_request(session::HttpConnection& connection, const http::Request& request) override {
    if (watch_ != nullptr) watch_->begin(connection, request, false);
    router_->on_request(connection, request);
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection& connection,
                                      const http::Request& request) override {
    if (watch_ != nullptr) watch_->begin(connection, request, true);
    return router_->on_upgrade(connection, request);
  }
  void on_unreadable(session::HttpConnection& connection) override {
    if (watch_ != nullptr) watch_->begin_unreadable(connection);
  }
  void on_refusal(http::Headers headers, session::HttpResponse& response) override {
    router_->on_refusal(headers, response);
  }
  void on_answered(int status) override { router_->on_answered(status); }
  void on_turn_share_spent() override { router_->on_turn_share_spent(); }

 private:
  std::unique_ptr<server::Router> router_;
  LoopWatch* const watch_;
};

}  // namespace fanfare::gateway
