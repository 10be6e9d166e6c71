#include "server/router.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "http/headers.h"
#include "http/target.h"
#include "server/cors.h"
#include "ws/handshake.h"

namespace fanfare::server {
namespace {

constexpr std::string_view kForeignHost = "this name is not served here";
constexpr std::string_view kForeignPage = "requests from pages of this origin are not allowed";

std::string with_setting(std::string_view why, std::string_view setting) {
  return std::string(why) + " (setting: " + std::string(setting) + ")\n";
}

session::HttpResponse plain(int status, std::string body) {
  return {.status = status, .body = std::move(body), .headers = {}};
}

// Visits each element of a list such as "GET, POST".
template <typename Visit>
void for_each_method(std::string_view methods, const Visit& visit) {
  while (!methods.empty()) {
    const std::size_t comma = methods.find(',');
    visit(http::trim_space(methods.substr(0, comma)));
    methods.remove_prefix(comma == std::string_view::npos ? methods.size() : comma + 1);
  }
}

// RFC9110§9.3.2: HEAD is GET without the body, which the engine omits.
bool takes(std::string_view methods, std::string_view method) {
  bool found = false;
  for_each_method(methods, [&](std::string_view one) {
    found = found || one == method || (method == "HEAD" && one == "GET");
  });
  return found;
}

// Lists each method once, in order of first appearance, with HEAD after GET.
class MethodList {
 public:
  void add(std::string_view method) {
    if (std::ranges::find(names_, method) == names_.end()) names_.emplace_back(method);
  }
  void add_all(std::string_view methods) {
    for_each_method(methods, [this](std::string_view one) {
      add(one);
      if (one == "GET") add("HEAD");
    });
  }
  bool has(std::string_view method) const { return std::ranges::find(names_, method) != names_.end(); }
  std::string text() const {
    std::string text;
    for (const std::string_view name : names_) {
      if (!text.empty()) text += ", ";
      text += name;
    }
    return text;
  }

 private:
  std::vector<std::string_view> names_;
};

// The answer at a path that offers only a WebSocket.
session::HttpResponse websocket_only(std::string_view method) {
  const bool could_upgrade = method == "GET" || method == "HEAD";
  return session::response_of(ws::refuse_upgrade(could_upgrade ? ws::Rule::handshake_upgrade_missing
                                                               : ws::Rule::handshake_method_not_get));
}

session::HttpResponse draining() {
  session::HttpResponse answer = plain(503, "this server accepts no new WebSockets now\n");
  answer.headers.push_back({.name = "Retry-After", .value = "5"});
  return answer;
}

// Also one of unknown length.
bool has_long_body(const http::Request& head) {
  const auto length = http::find_header(head.headers, "Content-Length");
  if (!length) return true;
  std::uint64_t bytes = 0;
  const auto read = std::from_chars(length->data(), length->data() + length->size(), bytes);
  return read.ec != std::errc() || bytes > kBodyBeforeAdmissionMax;
}

}  // namespace

struct Router::Offers {
  const Entry* first = nullptr;  // null: no pattern matches
  MethodList methods;
  bool has_methods = false;
  bool has_websocket = false;
  bool has_get = false;
  std::string_view missing;
};

void Router::mount(PathPattern path, std::shared_ptr<Mount> mount) {
  plans_bodies_ = plans_bodies_ || mount->plans_bodies();
  entries_.push_back({.path = std::move(path), .mount = std::move(mount)});
}

Router::Found Router::find(session::HttpConnection& session, const http::Request& request,
                           const std::vector<std::string>& segments, bool wants_websocket) const {
  Offers offers;
  Found found;
  const BrowserRules* rules = nullptr;
  for (const Entry& entry : entries_) {
    auto match = entry.path.match(segments);
    if (!match) continue;
    const Offer offer = entry.mount->offer(*match);
    if (offers.first == nullptr) {
      offers.first = &entry;
      rules = offer.browsers;
    }
    if (!offer.missing.empty()) {
      if (offers.missing.empty()) offers.missing = offer.missing;
      continue;
    }
    if (wants_websocket ? offer.has_websocket : takes(offer.methods, request.method)) {
      found.mount = entry.mount.get();
      found.match = *std::move(match);
      found.is_open = offer.is_open;
      found.is_vital = offer.is_vital;
      rules = offer.browsers;
      break;
    }
    if (offer.has_websocket) offers.methods.add("GET");
    offers.methods.add_all(offer.methods);
    offers.has_methods = offers.has_methods || !offer.methods.empty();
    offers.has_websocket = offers.has_websocket || offer.has_websocket;
    offers.has_get = offers.has_get || takes(offer.methods, "GET");
  }
  if (rules == nullptr && options_.browsers) rules = &*options_.browsers;
  if (rules != nullptr) {
    session.set_answer_headers(cors_headers(*rules, request.headers));
    found.caller = rules->caller_of(request.headers);
    found.answer = refuse_foreign(request, found, *rules, wants_websocket);
  }
  if (!found.answer && found.mount == nullptr) {
    found.answer = answer_to(request, offers, rules, wants_websocket);
  }
  if (!found.answer && wants_websocket && options_.is_draining != nullptr &&
      options_.is_draining->load(std::memory_order_relaxed)) {
    found.answer = draining();
  }
  if (!found.answer) ask_guard(request, wants_websocket, found);
  if (!found.answer && !found.refused_upgrade) admit(session, request, wants_websocket, found);
  return found;
}

void Router::ask_guard(const http::Request& request, bool wants_websocket, Found& found) const {
  if (options_.guard == nullptr || found.is_vital) return;
  if (wants_websocket) {
    found.refused_upgrade = options_.guard->refuse_upgrade(request);
  } else {
    found.answer = options_.guard->refuse_request(request);
  }
}

void Router::admit(const session::HttpConnection& session, const http::Request& request, bool wants_websocket,
                   Found& found) const {
  if (options_.admission == nullptr || found.is_open) return;
  auto admitted = options_.admission->admit(session, request, found.match, wants_websocket);
  if (admitted) {
    found.admitted = *std::move(admitted);
  } else {
    found.answer = std::move(admitted.error());
  }
}

// Only a request that the mount would have served is counted there: not a preflight, nor another method.
std::optional<session::HttpResponse> Router::refuse_foreign(const http::Request& request, const Found& found,
                                                            const BrowserRules& rules, bool is_upgrade) {
  const auto count = [&](Foreign why) {
    if (found.mount != nullptr) found.mount->on_foreign(found.match, why, is_upgrade);
  };
  if (!rules.serves_host(request.target, request.headers)) {
    count(Foreign::host);
    return plain(403, with_setting(kForeignHost, rules.setting_names().hosts));
  }
  if (rules.caller_of(request.headers) == Caller::foreign_page) {
    count(Foreign::origin);
    return plain(403, with_setting(kForeignPage, rules.setting_names().origins));
  }
  return std::nullopt;
}

session::HttpResponse Router::answer_to(const http::Request& request, const Offers& offers,
                                        const BrowserRules* rules, bool wants_websocket) const {
  const bool is_there = offers.has_methods || offers.has_websocket;
  if (!is_there) {
    return plain(404, (offers.missing.empty() ? options_.not_found : std::string(offers.missing)) + "\n");
  }
  // A preflight concerns HTTP requests of a page; WebSockets have no preflight.
  if (request.method == "OPTIONS" && rules != nullptr && offers.has_methods) {
    return {.status = 204,
            .content_type = "",
            .body = "",
            .headers = preflight_headers(*rules, request.headers, offers.methods.has("DELETE"))};
  }
  if (wants_websocket && offers.has_get) return plain(404, "there is no WebSocket here\n");
  if (!offers.has_methods) return websocket_only(request.method);
  if (request.method == "GET" && offers.has_websocket) return websocket_only(request.method);
  session::HttpResponse answer = plain(405, "the method is not allowed here\n");
  MethodList allowed = offers.methods;
  if (rules != nullptr) allowed.add("OPTIONS");
  answer.headers.push_back({.name = "Allow", .value = allowed.text()});
  return answer;
}

session::HttpResponse Router::about_the_server(const http::Request& request) const {
  MethodList methods;
  for (const Entry& entry : entries_) {
    const Offer offer = entry.mount->offer({});
    if (offer.has_websocket) methods.add("GET");
    methods.add_all(offer.methods);
  }
  if (options_.browsers) methods.add("OPTIONS");
  session::HttpResponse answer{.status = 204, .content_type = "", .body = "", .headers = {}};
  answer.headers.push_back({.name = "Allow", .value = methods.text()});
  if (!options_.browsers) return answer;
  for (auto& header : preflight_headers(*options_.browsers, request.headers)) {
    answer.headers.push_back(std::move(header));
  }
  return answer;
}

// The plan of the mount that find() will choose, if the request is not refused before.
session::BodyPlan Router::plan_body(const session::HttpConnection& session, const http::Request& head) {
  const bool needs_admission =
      (options_.admission != nullptr || options_.guard != nullptr) && has_long_body(head);
  if (!plans_bodies_ && !needs_admission) return {};
  const auto segments = http::path_segments(head.path);
  if (!segments) return {};
  for (const Entry& entry : entries_) {
    const auto match = entry.path.match(*segments);
    if (!match) continue;
    const Offer offer = entry.mount->offer(*match);
    if (!offer.missing.empty() || !takes(offer.methods, head.method)) continue;
    if (needs_admission && refuses_early(session, head, offer, *match)) return {.in_pieces = true};
    return offer.body;
  }
  return {};
}

bool Router::refuses_early(const session::HttpConnection& session, const http::Request& head,
                           const Offer& offer, const PathPattern::Match& match) {
  if (options_.guard != nullptr && !offer.is_vital) {
    if (auto refused = options_.guard->refuse_request(head)) {
      early_refusal_ = {.connection = session.id(), .answer = *std::move(refused)};
      return true;
    }
  }
  if (options_.admission == nullptr || offer.is_open) return false;
  auto admitted = options_.admission->admit(session, head, match, false);
  if (admitted) return false;
  early_refusal_ = {.connection = session.id(), .answer = std::move(admitted.error())};
  return true;
}

void Router::on_request(session::HttpConnection& session, const http::Request& request) {
  if (options_.browsers) session.set_answer_headers(cors_headers(*options_.browsers, request.headers));
  // RFC9112§3.2.4, §3.2.3: "*" and CONNECT's "host:port" are not paths, and match no pattern.
  if (request.path == "*") return session.respond(about_the_server(request));
  if (!request.path.starts_with('/')) return session.respond(plain(501, "this server is not a proxy\n"));
  const auto segments = http::path_segments(request.path);
  if (!segments) return session.respond(plain(400, "the request's path is not well encoded\n"));
  auto early = std::exchange(early_refusal_, std::nullopt);
  if (early && early->connection == session.id()) return session.respond(early->answer);
  const Found found = find(session, request, *segments, false);
  if (found.answer) return session.respond(*found.answer);
  found.mount->on_request(session, {.loop = *loop_,
                                    .request = request,
                                    .match = found.match,
                                    .caller = found.caller,
                                    .on_loopback = options_.on_loopback,
                                    .admitted = found.admitted});
}

session::UpgradeDecision Router::on_upgrade(session::HttpConnection& session, const http::Request& request) {
  const auto segments = http::path_segments(request.path);
  if (!segments) return plain(400, "the request's path is not well encoded\n");
  Found found = find(session, request, *segments, true);
  if (found.answer) return *std::move(found.answer);
  if (found.refused_upgrade) return *std::move(found.refused_upgrade);
  return found.mount->on_upgrade(session, {.loop = *loop_,
                                           .request = request,
                                           .match = found.match,
                                           .caller = found.caller,
                                           .on_loopback = options_.on_loopback,
                                           .admitted = found.admitted});
}

void Router::on_refusal(http::Headers headers, session::HttpResponse& response) {
  if (!options_.browsers) return;
  // The mount is unknown here. Only the set of pages that may read this answer could depend on it.
  for (auto& header : cors_headers(*options_.browsers, headers))
    response.headers.push_back(std::move(header));
}

void Router::on_answered(int status) {
  if (options_.observer != nullptr) options_.observer->on_answered(status);
}

void Router::on_turn_share_spent() {
  if (options_.observer != nullptr) options_.observer->on_turn_share_spent();
}

}  // namespace fanfare::server
