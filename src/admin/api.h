#pragma once
// The admin API: JSON over HTTP, as docs/admin.md describes it and GET /v1/openapi.json states it for programs.
//
//   Api api(subject);
//   router.mount(*PathPattern::parse("/{any...}"), std::make_shared<AdminMount>(api, server, AdminMountOptions{}));
//
// One per process, used by all loops that serve it.

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/answer.h"
#include "admin/drain.h"
#include "admin/problem.h"
#include "admin/subject.h"
#include "server/mount.h"

namespace fanfare::admin {

// A request that fits a route. Borrowed for the call.
struct Asked {
  std::vector<std::string> parameters;  // of the path, in its order
  std::string_view query;
  std::string_view body;  // JSON; empty: none
};

class Api {
 public:
  // Lists that are put together at the same time. One more is answered 429.
  static constexpr std::size_t kSearchesMax = 8;

  // Everything must outlive it, and the loops of the subject's server must have ended before it is destroyed.
  explicit Api(Subject& subject, Clock& clock = system_clock()) : subject_(subject), drain_(subject, clock) {}

  // `segments`: of the path, from "v1" on.
  void handle(const http::Request& request, std::span<const std::string> segments, Answer answer);

  Drain& drain() { return drain_; }

 private:
  friend struct Routes;

  void status(const Asked& asked, Answer answer);
  void list_connections(const Asked& asked, Answer answer);
  void show_connection(const Asked& asked, Answer answer);
  void close_connection(const Asked& asked, Answer answer);
  void list_networks(const Asked& asked, Answer answer);
  void list_upstreams(const Asked& asked, Answer answer);
  void show_upstream(const Asked& asked, Answer answer);
  void switch_upstream(const Asked& asked, Answer answer);
  void list_streams(const Asked& asked, Answer answer);
  void list_rooms(const Asked& asked, Answer answer);
  void show_drain(const Asked& asked, Answer answer);
  void begin_drain(const Asked& asked, Answer answer);
  void end_drain(const Asked& asked, Answer answer);
  void show_log_level(const Asked& asked, Answer answer);
  void set_log_level(const Asked& asked, Answer answer);
  void show_configuration(const Asked& asked, Answer answer);
  void reload(const Asked& asked, Answer answer);
  void upgrade(const Asked& asked, Answer answer);
  void show_openapi(const Asked& asked, Answer answer);

  Subject& subject_;
  Drain drain_;
  std::shared_ptr<std::atomic<std::size_t>> searches_ = std::make_shared<std::atomic<std::size_t>>(0);
};

struct AdminMountOptions {
  std::size_t prefix_segments = 0;  // of the path, before "v1"
  // An answer refuses the caller. Empty: every caller may do everything.
  std::function<std::optional<Problem>(const server::Target&)> guard = {};
};

class AdminMount final : public server::Mount {
 public:
  // `server` is the one whose router has the mount. Both must outlive the mount.
  AdminMount(Api& api, session::Server& server, AdminMountOptions options)
      : api_(api), server_(server), options_(std::move(options)) {}

  server::Offer offer(const server::PathPattern::Match&) const override {
    return {.methods = "GET, POST, PUT, DELETE", .is_vital = true};
  }
  void on_request(session::HttpConnection& session, const server::Target& target) override;

 private:
  Api& api_;
  session::Server& server_;
  const AdminMountOptions options_;
};

}  // namespace fanfare::admin
