#pragma once
// What a listener serves on one loop: a router that a reload replaces, and a record of what is asked. Loop thread.

#include <memory>
#include <utility>

#include "gateway/observe/loop_watch.h"
#include "server/replaceable_router.h"

namespace fanfare::gateway {

class Site final : public server::ReplaceableRouter {
 public:
  Site(std::unique_ptr<server::Router> router, LoopWatch& watch)
      : ReplaceableRouter(std::move(router)), watch_(watch) {}

  void on_request(session::HttpConnection& connection, const http::Request& request) override {
    watch_.begin(connection, request, false);
    ReplaceableRouter::on_request(connection, request);
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection& connection,
                                      const http::Request& request) override {
    watch_.begin(connection, request, true);
    return ReplaceableRouter::on_upgrade(connection, request);
  }
  void on_unreadable(session::HttpConnection& connection) override { watch_.begin_unreadable(connection); }

 private:
  LoopWatch& watch_;
};

}  // namespace fanfare::gateway
