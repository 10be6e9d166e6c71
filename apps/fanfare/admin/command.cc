#include "admin/command.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/client.h"
#include "admin/columns.h"
#include "admin/table.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"

namespace fanfare::app {
namespace {

// Of one request for connections: the server's limit.
constexpr std::uint64_t kPageMax = 1000;

const std::vector<Column> kConnectionColumns{{"ID", "id"},
                                             {"ADDRESS", "address"},
                                             {"AGE", "age_s", Show::seconds},
                                             {"BEHIND", "bytes_behind", Show::bytes},
                                             {"SUBS", "subscriptions", Show::number},
                                             {"IN", "messages_received", Show::number},
                                             {"OUT", "messages_sent", Show::number},
                                             {"PRINCIPAL", "principal", Show::text, 24},
                                             {"SERVICE", "service"},
                                             {"NETWORK", "network", Show::text, 24},
                                             {"ROOM", "room", Show::text, 24},
                                             {"AGENT", "user_agent", Show::text, 32}};
const std::vector<Column> kNetworkColumns{{"NETWORK", "name"},
                                          {"READY", "ready", Show::yes_no},
                                          {"HEAD", "head", Show::number},
                                          {"HEAD AGE", "head_age_s", Show::seconds},
                                          {"CONNECTIONS", "connections", Show::number},
                                          {"SUBSCRIPTIONS", "subscriptions", Show::number},
                                          {"REQUESTS", "requests", Show::number},
                                          {"NOTIFICATIONS", "notifications", Show::number},
                                          {"SLOW CLOSED", "slow_closed", Show::number},
                                          {"NOTE", "reason", Show::text, 80}};
const std::vector<Column> kUpstreamColumns{
    {"NETWORK", "network"},           {"UPSTREAM", "name"},
    {"USED", "used", Show::yes_no},   {"HEAD", "head", Show::number},
    {"LAG", "lag", Show::number},     {"LATENCY", "latency_s", Show::seconds},
    {"CALLS", "calls", Show::number}, {"ERRORS", "errors", Show::number},
    {"URL", "url", Show::text, 48},   {"NOTE", "reason", Show::text, 100}};

using Outcome = std::expected<void, std::string>;

std::string quoted_json(std::string_view text) {
  std::string json;
  jsonrpc::append_string(json, text);
  return json;
}

// More than the longest server.upgradeTimeout.
constexpr std::chrono::seconds kUpgradeWait = std::chrono::minutes(61);

// Whether a thread has the signal blocked, as all threads of a server but the one that waits for it.
bool waits_for_upgrades(const std::string& folder) {
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator(folder + "/task", error)) {
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (!line.starts_with("SigBlk:")) continue;
      const auto blocked = std::strtoull(line.c_str() + 7, nullptr, 16);
      if (((blocked >> static_cast<unsigned>(SIGUSR2 - 1)) & 1U) != 0) return true;
    }
  }
  return false;
}

// A program that does not know the signal would be ended by it.
Outcome ask_by_signal(std::int32_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  std::ifstream file(folder + "/comm");
  std::string name;
  if (!std::getline(file, name)) return std::unexpected("there is no process " + std::to_string(pid));
  if (name != "fanfare" || !waits_for_upgrades(folder)) {
    return std::unexpected("process " + std::to_string(pid) + " (" + name +
                           ") is no 'fanfare serve' that can be upgraded while it runs");
  }
  if (::kill(pid, SIGUSR2) == 0) return {};
  return std::unexpected("cannot send a signal to process " + std::to_string(pid) + ": " +
                         std::strerror(errno));
}

class Command {
 public:
  Command(const AdminArguments& arguments, std::ostream& out) : a_(arguments), out_(out), client_(a_.to) {}

  Outcome run() {
    if (a_.command == "status") return show("/v1/status", &Command::print_members);
    if (a_.command == "connections") return list_connections();
    if (a_.command == "close") return close();
    if (a_.command == "networks") return table("/v1/networks", "networks", kNetworkColumns);
    if (a_.command == "upstreams") return table("/v1/upstreams", "upstreams", kUpstreamColumns);
    if (a_.command == "streams") return table("/v1/streams", "streams", kStreamColumns);
    if (a_.command == "rooms") return table("/v1/rooms", "rooms", kRoomColumns);
    if (a_.command == "enable" || a_.command == "disable") return switch_upstream(a_.command == "enable");
    if (a_.command == "drain") return drain();
    if (a_.command == "undrain") return change("DELETE", "/v1/drain", "", &Command::print_members);
    if (a_.command == "upgrade") return upgrade();
    if (a_.command == "log-level") return log_level();
    if (a_.command == "config") return show("/v1/config", &Command::print_summary);
    return change("POST", "/v1/reload", "", &Command::print_reload);
  }

 private:
  using Print = void (Command::*)(std::string_view json);

  Outcome change(std::string_view method, const std::string& target, const std::string& body, Print print) {
    const auto reply = client_.request(method, target, body);
    if (!reply) return std::unexpected(reply.error());
    if (a_.json) {
      out_ << reply->body;
    } else {
      (this->*print)(reply->body);
    }
    return {};
  }
  Outcome show(const std::string& target, Print print) { return change("GET", target, "", print); }

  Outcome table(const std::string& target, std::string_view list, const std::vector<Column>& columns) {
    const auto reply = client_.request("GET", target);
    if (!reply) return std::unexpected(reply.error());
    if (a_.json) {
      out_ << reply->body;
      return {};
    }
    print_table(jsonrpc::member(reply->body, list).value_or("[]"), columns);
    return {};
  }

  void print_table(std::string_view list, const std::vector<Column>& columns) {
    for (const std::string& line : table_lines(list, columns)) out_ << line << "\n";
  }

  void print_members(std::string_view json) { print_members(json, ""); }
  void print_members(std::string_view json, const std::string& before) {
    for (const jsonrpc::Member& member : jsonrpc::object_members(json)) {
      const std::string name = before + std::string(member.name);
      if (jsonrpc::kind_of(member.value) == jsonrpc::Kind::object) {
        print_members(member.value, name + ".");
      } else {
        const Show how = member.name.ends_with("_s")     ? Show::seconds
                         : member.name.contains("bytes") ? Show::bytes
                                                         : Show::text;
        out_ << fitted(name, std::max<std::size_t>(20, name.size() + 1))
             << shown(json, {.title = {}, .member = member.name, .show = how}) << "\n";
      }
    }
  }

  void print_lines(std::string_view list, std::string_view before = {}) {
    for (const std::string_view line : jsonrpc::array_elements(list)) {
      out_ << before << line_text(jsonrpc::string_copy(line).value_or("")) << "\n";
    }
  }
  void print_summary(std::string_view json) {
    print_lines(jsonrpc::member(json, "summary").value_or("[]"));
    out_ << "'fanfare admin config --json' prints the values of all settings.\n";
  }
  void print_reload(std::string_view json) {
    out_ << "reloaded\n";
    print_lines(jsonrpc::member(json, "changes").value_or("[]"), "  ");
    print_lines(jsonrpc::member(json, "needs_restart").value_or("[]"), "  needs a restart: ");
  }

  // All of them, page by page, or the first `limit`.
  std::expected<std::vector<std::string>, std::string> connections() {
    std::vector<std::string> objects;
    std::string cursor;
    const std::uint64_t sorted_default = 100;
    const std::uint64_t wanted = a_.limit > 0 ? a_.limit : a_.sort.empty() ? UINT64_MAX : sorted_default;
    while (objects.size() < wanted) {
      std::string target = "/v1/connections" + filter_query(a_);
      target += std::string(target.contains('?') ? "&" : "?") +
                "limit=" + std::to_string(std::min(kPageMax, wanted - objects.size()));
      if (!cursor.empty()) target += "&cursor=" + cursor;
      const auto reply = client_.request("GET", target);
      if (!reply) return std::unexpected(reply.error());
      for (const std::string_view object :
           jsonrpc::array_elements(jsonrpc::member(reply->body, "connections").value_or("[]"))) {
        objects.emplace_back(object);
      }
      cursor = jsonrpc::string_copy(jsonrpc::member(reply->body, "next").value_or("null")).value_or("");
      if (cursor.empty()) break;
    }
    return objects;
  }

  Outcome list_connections() {
    const auto objects = connections();
    if (!objects) return std::unexpected(objects.error());
    std::string list = "[";
    for (const std::string& object : *objects) list += (list.size() > 1 ? ",\n" : "") + object;
    list += "]";
    if (a_.json) {
      out_ << list << "\n";
    } else {
      print_table(list, kConnectionColumns);
      out_ << objects->size() << (objects->size() == 1 ? " connection\n" : " connections\n");
    }
    return {};
  }

  // Of those found by a filter, some may have ended by themselves.
  bool is_open(const std::string& id) {
    return client_.request("GET", "/v1/connections/" + url_escaped(id)).has_value();
  }
  Outcome close() {
    std::vector<std::string> ids = a_.ids;
    if (ids.empty()) {
      if (filter_query(a_).empty()) return std::unexpected("expected an id, or a filter");
      const auto objects = connections();
      if (!objects) return std::unexpected(objects.error());
      for (const std::string& object : *objects) {
        ids.push_back(jsonrpc::string_copy(jsonrpc::member(object, "id").value_or("")).value_or(""));
      }
    }
    std::string query = "?code=" + std::to_string(a_.code);
    if (!a_.reason.empty()) query += "&reason=" + url_escaped(a_.reason);
    std::size_t closed = 0;
    std::string problem;
    for (const std::string& id : ids) {
      const auto reply = client_.request("DELETE", "/v1/connections/" + url_escaped(id) + query);
      if (reply) {
        ++closed;
      } else if (!a_.ids.empty() || is_open(id)) {
        problem += (problem.empty() ? "" : "\n") + reply.error();
        if (a_.ids.empty()) break;  // the others are refused for the same reason
      }
    }
    if (a_.json) {
      out_ << "{\"closed\":" << closed << "}\n";
    } else {
      out_ << "closed " << closed << "\n";
    }
    if (!problem.empty()) return std::unexpected(problem);
    return {};
  }

  Outcome switch_upstream(bool enabled) {
    const std::size_t first = a_.upstream.find('/');
    const std::size_t second = first == std::string::npos ? first : a_.upstream.find('/', first + 1);
    if (second == std::string::npos) return std::unexpected("expected PROJECT/CHAIN/NAME");
    const std::string target = "/v1/networks/" + url_escaped(a_.upstream.substr(0, first)) + "/" +
                               url_escaped(a_.upstream.substr(first + 1, second - first - 1)) +
                               "/upstreams/" + url_escaped(a_.upstream.substr(second + 1));
    const std::string body = std::string(R"({"enabled":)") + (enabled ? "true" : "false") + R"(,"force":)" +
                             (a_.force ? "true" : "false") + "}";
    return change("PUT", target, body, &Command::print_upstream);
  }
  void print_upstream(std::string_view json) { print_table("[" + std::string(json) + "]", kUpstreamColumns); }

  Outcome drain() {
    std::string body = R"({"spread_s":)" + std::to_string(a_.spread_s);
    if (!a_.reason.empty()) body += R"(,"reason":)" + quoted_json(a_.reason);
    return change("POST", "/v1/drain", body + "}", &Command::print_members);
  }

  Outcome upgrade() {
    if (a_.pid != 0) {
      const auto asked = ask_by_signal(a_.pid);
      if (asked) {
        out_ << "process " << a_.pid
             << " got the signal; its log says how the upgrade ends: upgraded or upgrade_failed\n";
      }
      return asked;
    }
    client_.set_timeout(kUpgradeWait);
    return change("POST", "/v1/upgrade", "", &Command::print_upgrade);
  }
  void print_upgrade(std::string_view json) {
    out_ << "process " << jsonrpc::member(json, "pid").value_or("?") << " has taken over\n";
  }

  Outcome log_level() {
    if (a_.level.empty()) return show("/v1/log-level", &Command::print_members);
    return change("PUT", "/v1/log-level", R"({"level":)" + quoted_json(a_.level) + "}",
                  &Command::print_members);
  }

  const AdminArguments& a_;
  std::ostream& out_;
  AdminClient client_;
};

}  // namespace

std::string filter_query(const AdminArguments& arguments) {
  std::string query;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    query += (query.empty() ? "?" : "&") + std::string(name) + "=" + url_escaped(value);
  };
  add("q", arguments.text);
  add("kind", arguments.kind);
  add("address", arguments.address);
  add("agent", arguments.agent);
  add("principal", arguments.principal);
  add("service", arguments.service);
  add("project", arguments.project);
  add("network", arguments.network);
  add("stream", arguments.stream);
  add("room", arguments.room);
  add("sort", arguments.sort);
  if (arguments.behind_min > 0) add("behind_min", std::to_string(arguments.behind_min));
  if (arguments.age_min > 0) add("age_min", std::to_string(arguments.age_min));
  return query;
}

int run_admin(const AdminArguments& arguments, std::ostream& out, std::ostream& complaints) {
  const Outcome done = Command(arguments, out).run();
  if (done) return 0;
  complaints << (arguments.command == "upgrade" ? "fanfare " : "fanfare admin ") << arguments.command << ": "
             << done.error() << "\n";
  const bool is_usage = done.error().starts_with("expected ");
  return is_usage ? 2 : 1;
}

}  // namespace fanfare::app
