// What the routes of the admin API do.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "admin/api.h"
#include "admin/body.h"
#include "admin/connection_id.h"
#include "admin/connection_search.h"
#include "admin/log_level.h"
#include "admin/render.h"
#include "admin/routes.h"
#include "base/bytes.h"
#include "base/log.h"
#include "http/target.h"
#include "session/http_connection.h"
#include "session/session.h"
#include "ws/close_code.h"
#include "ws/utf8.h"

namespace fanfare::admin {
namespace {

constexpr std::size_t kReasonBytesMax = 123;  // RFC6455§5.5: a control frame has at most 125 bytes

bool is_reason(std::string_view text) {
  return text.size() <= kReasonBytesMax && ws::is_valid_utf8(as_bytes(text));
}
constexpr std::string_view kReasonExpected = "at most 123 bytes of UTF-8";

// The codes that make sense for a connection that an operator closes.
bool is_close_code(std::uint64_t code) {
  return code == 1000 || code == 1001 || code == 1008 || code == 1011 || code == 1012 || code == 1013 ||
         (code >= 3000 && code <= 4999);
}
constexpr std::string_view kCodeExpected =
    "code must be 1000, 1001, 1008, 1011, 1012, 1013, or one from 3000 to 4999";

struct Closing {
  std::uint16_t code = ws::close_code::service_restart;
  std::string reason = "closed by the operator";
};

std::optional<Problem> read_closing(std::string_view query, Closing& out) {
  for (const http::Parameter& parameter : http::query_parameters(query)) {
    Problem bad{.status = 400, .detail = {}, .parameter = parameter.name, .value = parameter.value};
    if (parameter.name == "code") {
      const bool has_digits = parameter.value.size() == 4 && std::ranges::all_of(parameter.value, [](char c) {
                                return c >= '0' && c <= '9';
                              });
      const std::uint64_t code = has_digits ? std::stoul(parameter.value) : 0;
      bad.detail = kCodeExpected;
      if (!is_close_code(code)) return bad;
      out.code = static_cast<std::uint16_t>(code);
    } else if (parameter.name == "reason") {
      bad.detail = "reason must have " + std::string(kReasonExpected);
      if (!is_reason(parameter.value)) return bad;
      out.reason = parameter.value;
    } else {
      bad.detail = parameter.name + " is not a parameter of this request";
      return bad;
    }
  }
  return std::nullopt;
}

Problem unknown_connection(std::string_view id) {
  return {.status = 404,
          .detail = "there is no connection with this id; it may have ended",
          .parameter = "id",
          .value = std::string(id)};
}

// Null: it has ended.
session::Member* find_connection(session::SessionTable& table, session::SessionId id) {
  if (session::Session* const session = table.find(id)) return session;
  return table.find_http(id);
}

// Runs `task` with the connection on its loop, or answers 404.
template <typename Task>
void with_connection(session::Server& server, const std::string& text, Answer answer, Task task) {
  const auto id = parse_connection_id(text);
  if (!id || id->loop >= server.loop_count()) return answer.give(unknown_connection(text));
  server.post(id->loop, [id = *id, text, answer = std::move(answer),
                         task = std::move(task)](session::LoopServer& loop) mutable {
    session::Member* const member = find_connection(loop.sessions(), id.session);
    if (member == nullptr) return answer.give(unknown_connection(text));
    answer.give(task(loop.sessions(), *member, id.loop));
  });
}

// One of the lists that are put together at the same time, as long as it lives.
class SearchPlace {
 public:
  explicit SearchPlace(std::shared_ptr<std::atomic<std::size_t>> count) : count_(std::move(count)) {
    ++*count_;
  }
  SearchPlace(SearchPlace&&) noexcept = default;
  SearchPlace& operator=(SearchPlace&&) = delete;
  SearchPlace(const SearchPlace&) = delete;
  SearchPlace& operator=(const SearchPlace&) = delete;
  ~SearchPlace() {
    if (count_ != nullptr) --*count_;
  }
  bool is_one_too_many(std::size_t most) const { return *count_ > most; }

 private:
  std::shared_ptr<std::atomic<std::size_t>> count_;
};

// The upstream of the path, in the networks' answer. Null: there is none.
const UpstreamInfo* find_upstream(const std::vector<NetworkInfo>& networks, std::string_view network,
                                  std::string_view name) {
  for (const NetworkInfo& one : networks) {
    if (one.name != network) continue;
    const auto found = std::ranges::find(one.upstreams, name, &UpstreamInfo::name);
    return found == one.upstreams.end() ? nullptr : &*found;
  }
  return nullptr;
}

Problem unknown_upstream(std::string_view network, std::string_view name) {
  return {.status = 404,
          .detail = "there is no such upstream; GET /v1/upstreams lists them",
          .parameter = "name",
          .value = std::string(network) + "/" + std::string(name)};
}

void answer_with_upstream(Subject& subject, std::string network, std::string name, Answer answer) {
  subject.networks([network = std::move(network), name = std::move(name),
                    answer = std::move(answer)](const std::vector<NetworkInfo>& networks) mutable {
    const UpstreamInfo* const found = find_upstream(networks, network, name);
    if (found == nullptr) return answer.give(unknown_upstream(network, name));
    answer.give(json_response(text_of(*found)));
  });
}

std::string log_level_text() {
  Json json;
  json.object([&] { json.member("level", log_level_name()); });
  return json.take();
}

}  // namespace

void Api::status(const Asked&, Answer answer) {
  answer.give(json_response(text_of(subject_.process(), drain_.status())));
}

void Api::list_connections(const Asked& asked, Answer answer) {
  auto query = ConnectionQuery::parse(asked.query);
  if (!query) return answer.give(query.error());
  SearchPlace place(searches_);
  if (place.is_one_too_many(kSearchesMax)) {
    return answer.give(Problem{
        .status = 429, .detail = std::to_string(kSearchesMax) + " other lists are being put together now"});
  }
  const bool is_sorted = query->sort != ConnectionQuery::Sort::none;
  search_connections(
      subject_.server(), *std::move(query),
      [is_sorted, place = std::move(place), answer = std::move(answer)](const ConnectionPage& page) mutable {
        answer.give(json_response(text_of(page, is_sorted)));
      });
}

void Api::show_connection(const Asked& asked, Answer answer) {
  with_connection(subject_.server(), asked.parameters[0], std::move(answer),
                  [](session::SessionTable& table, session::Member& member, std::size_t loop) {
                    return json_response(text_of(info_of(table, member, loop, true)));
                  });
}

void Api::close_connection(const Asked& asked, Answer answer) {
  Closing closing;
  if (const auto problem = read_closing(asked.query, closing)) return answer.give(*problem);
  with_connection(subject_.server(), asked.parameters[0], std::move(answer),
                  [closing](session::SessionTable& table, session::Member& member, std::size_t loop) {
                    const ConnectionInfo info = info_of(table, member, loop, true);
                    log::warn("connection_closed_by_operator", {{"connection", info.id},
                                                                {"address", info.address},
                                                                {"principal", info.principal},
                                                                {"code", closing.code},
                                                                {"reason", closing.reason}});
                    if (session::Session* const session = session::SessionTable::as_session(member)) {
                      session->start_closing(closing.code, closing.reason);
                    } else {
                      member.shut_down(closing.code, closing.reason);
                    }
                    Json json;
                    json.object([&] { json.member("closed", info.id); });
                    return json_response(json.take());
                  });
}

void Api::list_networks(const Asked&, Answer answer) {
  subject_.networks([answer = std::move(answer)](const std::vector<NetworkInfo>& networks) mutable {
    answer.give(json_response(list_of("networks", networks)));
  });
}

void Api::list_upstreams(const Asked&, Answer answer) {
  subject_.networks([answer = std::move(answer)](std::vector<NetworkInfo> networks) mutable {
    std::vector<UpstreamInfo> upstreams;
    for (NetworkInfo& network : networks) std::ranges::move(network.upstreams, std::back_inserter(upstreams));
    answer.give(json_response(list_of("upstreams", upstreams)));
  });
}

void Api::show_upstream(const Asked& asked, Answer answer) {
  answer_with_upstream(subject_, asked.parameters[0] + "/" + asked.parameters[1], asked.parameters[2],
                       std::move(answer));
}

void Api::switch_upstream(const Asked& asked, Answer answer) {
  Body body(asked.body, {"enabled", "force"});
  bool enabled = true;
  bool forced = false;
  body.require("enabled");
  body.read("enabled", enabled);
  body.read("force", forced);
  if (body.problem()) return answer.give(*body.problem());
  const std::string network = asked.parameters[0] + "/" + asked.parameters[1];
  const std::string& name = asked.parameters[2];
  subject_.set_upstream(
      network, name, enabled, forced,
      [this, network, name, answer = std::move(answer)](Subject::Switched switched) mutable {
        switch (switched) {
          case Subject::Switched::done:
            return answer_with_upstream(subject_, network, name, std::move(answer));
          case Subject::Switched::unknown:
            return answer.give(unknown_upstream(network, name));
          case Subject::Switched::fixed:
            return answer.give(Problem{.status = 409,
                                       .detail = "the chain of this network is built in",
                                       .parameter = "name",
                                       .value = name});
          case Subject::Switched::last_one:
            return answer.give(Problem{.status = 409,
                                       .detail = "it is the last upstream of its network that is enabled; "
                                                 "\"force\": true disables it all the same",
                                       .parameter = "name",
                                       .value = name});
        }
      });
}

void Api::list_streams(const Asked&, Answer answer) {
  answer.give(json_response(list_of("streams", subject_.streams())));
}

void Api::list_rooms(const Asked&, Answer answer) {
  answer.give(json_response(list_of("rooms", subject_.rooms())));
}

void Api::show_drain(const Asked&, Answer answer) {
  answer.give(json_response(text_of(drain_.status())));
}

void Api::begin_drain(const Asked& asked, Answer answer) {
  Body body(asked.body, {"spread_s", "reason"});
  double spread_s = std::chrono::duration<double>(Drain::kSpreadDefault).count();
  std::string reason = "the server is being taken out of service, try again in 1 s";
  body.read("spread_s", spread_s, 0, std::chrono::duration<double>(Drain::kSpreadMax).count());
  if (body.read("reason", reason) && !is_reason(reason)) body.fail("reason", reason, kReasonExpected);
  if (body.problem()) return answer.give(*body.problem());
  const auto spread = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(spread_s));
  if (!drain_.begin(spread, reason)) {
    return answer.give(Problem{.status = 409, .detail = "it drains already; DELETE /v1/drain ends that"});
  }
  answer.give(json_response(text_of(drain_.status()), 202));
}

void Api::end_drain(const Asked&, Answer answer) {
  if (!drain_.end()) return answer.give(Problem{.status = 409, .detail = "it does not drain"});
  answer.give(json_response(text_of(drain_.status())));
}

void Api::show_log_level(const Asked&, Answer answer) {
  answer.give(json_response(log_level_text()));
}

void Api::set_log_level(const Asked& asked, Answer answer) {
  Body body(asked.body, {"level"});
  std::string name;
  body.require("level");
  body.read("level", name);
  const auto level = log_level_of(name);
  if (!level) body.fail("level", name, kLogLevelsExpected);
  if (body.problem()) return answer.give(*body.problem());
  const std::string_view before = log_level_name();
  log::set_level(*level);
  log::warn("log_level_changed", {{"from", before}, {"to", name}});
  answer.give(json_response(log_level_text()));
}

void Api::show_configuration(const Asked&, Answer answer) {
  answer.give(json_response(subject_.configuration()));
}

void Api::reload(const Asked&, Answer answer) {
  subject_.reload([answer = std::move(answer)](const ReloadInfo& result) mutable {
    if (result.applied) return answer.give(json_response(text_of(result)));
    answer.give(Problem{.status = 422, .detail = "nothing was changed", .errors = result.errors});
  });
}

void Api::upgrade(const Asked&, Answer answer) {
  subject_.upgrade([answer = std::move(answer)](const UpgradeInfo& result) mutable {
    if (result.pid != 0) return answer.give(json_response(text_of(result)));
    answer.give(Problem{.status = 409, .detail = "the server goes on as before: " + result.problem});
  });
}

void Api::show_openapi(const Asked&, Answer answer) {
  answer.give(json_response(openapi_text()));
}

}  // namespace fanfare::admin
