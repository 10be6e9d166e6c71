// A lobby, and what an operator needs beside it: lobby [PORT [UNIX-PATH]].
//
//   ws://127.0.0.1:PORT/lobby       members have a cookie "name"; others get one. Each message goes to all but its sender.
//                                   "/roll SIDES" rolls a die; SIDES that is no number ends that session only (1011).
//
// For operators, who send "Authorization: Bearer TOKEN" with the TOKEN in the environment variable LOBBY_TOKEN:
//
//   POST /whisper?to=NAME&text=TEXT  a message for one member
//   POST /remove?name=NAME           closes a member's sessions
//   POST /stop?seconds=N             closes the sessions one after another over N seconds, then the program ends
//   GET  /request                    the headers as the server sees them
//
// With UNIX-PATH it serves the same there, for a proxy on this machine.

#include <fanfare/fanfare.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "../port.h"

namespace {

struct Member {
  std::string name;
};
using MemberSession = fanfare::SessionWith<Member>;

// Who is in the lobby. Handlers run on all loops, so it has a lock.
class Directory {
 public:
  void enter(const std::string& name, fanfare::SessionId id) {
    const std::scoped_lock lock(mutex_);
    ids_[name] = id;
  }
  void leave(const std::string& name, fanfare::SessionId id) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = ids_.find(name); found != ids_.end() && found->second == id) ids_.erase(found);
  }
  std::optional<fanfare::SessionId> find(const std::string& name) const {
    const std::scoped_lock lock(mutex_);
    const auto found = ids_.find(name);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, fanfare::SessionId> ids_;
};

// Members and guests get what they may speak, the newest first: the choice depends on the account.
std::optional<std::string> choose_subprotocol(const fanfare::Request& request, bool is_member) {
  const std::string offered(request.header("Sec-WebSocket-Protocol").value_or(""));
  if (is_member && offered.find("lobby.v2") != std::string::npos) return "lobby.v2";
  if (offered.find("lobby.v1") != std::string::npos) return "lobby.v1";
  return std::nullopt;
}

void let_in(const fanfare::Request& request, fanfare::Upgrade<Member> upgrade) {
  static std::atomic<unsigned> guests = 0;
  const auto cookie = request.cookie("name");
  fanfare::UpgradeOptions options{.subprotocol = choose_subprotocol(request, cookie.has_value())};
  Member member{.name = cookie ? std::string(*cookie) : "guest" + std::to_string(++guests)};
  if (!cookie) {
    options.headers.push_back(
        {.name = "Set-Cookie", .value = "name=" + member.name + "; HttpOnly; SameSite=Strict"});
  }
  std::move(upgrade).accept(std::move(member), std::move(options));
}

// Throws for a text that is no number. The server catches that: this session ends, the others stay.
std::string roll(const std::string& sides) {
  std::uniform_int_distribution<unsigned long> die(1, std::max(1UL, std::stoul(sides)));
  std::random_device random;
  return std::to_string(die(random));
}

fanfare::Response respond_to(fanfare::PostResult result) {
  if (result == fanfare::PostResult::accepted) return {.status = 202};
  return {.status = 503, .body = result == fanfare::PostResult::full ? "too busy\n" : "stopping\n"};
}

// Everyone may enter the lobby; every other route is for operators.
void admit_operators(fanfare::Server& server) {
  const char* const token = std::getenv("LOBBY_TOKEN");
  server.admit([expected = token == nullptr ? "" : "Bearer " + std::string(token)](
                   const fanfare::Request& request) -> std::optional<fanfare::Response> {
    if (request.path() == "/lobby") return std::nullopt;
    if (!expected.empty() && request.header("Authorization") == expected) return std::nullopt;
    return fanfare::Response{.status = 401, .headers = {{"WWW-Authenticate", "Bearer"}}};
  });
}

void add_operator_routes(fanfare::Server& server, Directory& directory) {
  const auto whisper = [&](const fanfare::Request& request) -> fanfare::Response {
    const auto to = directory.find(std::string(request.query_parameter("to").value_or("")));
    if (!to) return {.status = 404, .body = "nobody has this name\n"};
    // The session may be on another loop. Secrets are sent uncompressed.
    return respond_to(server.post<Member>(
        *to, [text = std::string(request.query_parameter("text").value_or(""))](MemberSession& session) {
          session.send(text, {.compress = false});
        }));
  };
  const auto remove = [&](const fanfare::Request& request) {
    return respond_to(server.for_each_session<Member>(
        [name = std::string(request.query_parameter("name").value_or(""))](MemberSession& session) {
          if (session.data().name == name) session.close(1008, "removed");
        }));
  };
  const auto stop = [&](const fanfare::Request& request) -> fanfare::Response {
    const std::string seconds(request.query_parameter("seconds").value_or("0"));
    const std::chrono::seconds spread(std::min(std::stoul(seconds), 3600UL));  // no number: 500
    server.stop({.deadline = spread + std::chrono::seconds(5), .spread = spread});
    return {.status = 202};
  };
  const auto show = [](const fanfare::Request& request) {
    fanfare::Response response;
    for (const fanfare::HeaderView& header : request.headers()) {
      response.body.append(header.name).append(": ").append(header.value).append("\n");
    }
    return response;
  };
  server.http("POST", "/whisper", whisper);
  server.http("POST", "/remove", remove);
  server.http("POST", "/stop", stop);
  server.http("GET", "/request", show);
}

}  // namespace

int main(int argc, char** argv) {
  fanfare::ServerOptions options{.port = port_argument(argc, argv, 1, 9001)};
  if (argc > 2) options.more_listeners.push_back({.unix_path = argv[2], .unix_mode = 0600U});
  Directory directory;
  fanfare::Server server(std::move(options));
  server.websocket<Member>(
      "/lobby",
      {.decide = let_in,
       .open =
           [&](MemberSession& session) {
             session.subscribe("lobby");
             directory.enter(session.data().name, session.id());
           },
       .message =
           [&](MemberSession& session, const fanfare::Message& message) {
             const std::string text(message.text());
             if (text.starts_with("/roll ")) {
               session.send(roll(text.substr(6)));
             } else if (server.publish("lobby", session.data().name + ": " + text,
                                       {.except = session.id()}) != fanfare::PostResult::accepted) {
               session.send("(not delivered)");
             }
           },
       .close = [&](MemberSession& session,
                    const fanfare::Close&) { directory.leave(session.data().name, session.id()); }});
  admit_operators(server);
  add_operator_routes(server, directory);
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "lobby: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("ws://%s\n", server.addresses().front().c_str());
  std::fflush(stdout);
  server.run();
  if (const auto refused = server.refused_tasks(); refused > 0) {
    std::fprintf(stderr, "lobby: %llu messages were refused by full mailboxes\n",
                 static_cast<unsigned long long>(refused));
  }
}
