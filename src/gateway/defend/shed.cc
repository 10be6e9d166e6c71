#include "gateway/defend/shed.h"

#include <algorithm>

#include "gateway/rpc_service.h"
#include "session/http_connection.h"
#include "ws/close_code.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kReason = "the server is short of memory and this client reads too slowly";

// What the JSON-RPC service holds for a client includes what is in its outbox.
std::size_t backlog_of(session::Session& session) {
  const auto* const rpc = dynamic_cast<const RpcService*>(&session.endpoint());
  return std::max(session.queued_bytes(), rpc == nullptr ? 0 : RpcService::held_bytes(session));
}

}  // namespace

std::vector<Backlog> largest_backlogs(session::LoopServer& server, std::size_t loop) {
  std::vector<Backlog> found;
  const auto smaller = [](const Backlog& a, const Backlog& b) { return a.bytes > b.bytes; };
  server.sessions().for_each_member([&](session::Member& member) {
    if (member.is_closed()) return;
    std::size_t bytes = member.queued_bytes();
    if (auto* const session = dynamic_cast<session::Session*>(&member)) {
      bytes = session->is_open() ? backlog_of(*session) : 0;
    }
    if (bytes < kShedBytesMin) return;
    found.push_back({.id = member.id(), .loop = loop, .bytes = bytes});
    std::ranges::push_heap(found, smaller);
    if (found.size() <= kShedPerLoopMax) return;
    std::ranges::pop_heap(found, smaller);
    found.pop_back();
  });
  return found;
}

std::vector<Backlog> choose_to_shed(std::vector<Backlog> all, std::size_t bytes) {
  std::ranges::sort(all, std::greater(), &Backlog::bytes);
  std::size_t sum = 0;
  const auto enough = std::ranges::find_if(all, [&](const Backlog& one) {
    if (sum >= bytes) return true;
    sum += one.bytes;
    return false;
  });
  all.erase(enough, all.end());
  return all;
}

bool shed(session::LoopServer& server, session::SessionId id) {
  session::Session* const session = server.sessions().find(id);
  if (session == nullptr) {
    session::HttpConnection* const http = server.sessions().find_http(id);
    if (http != nullptr) http->close();
    return http != nullptr;
  }
  if (!session->is_open()) return false;
  if (dynamic_cast<const RpcService*>(&session->endpoint()) != nullptr) RpcService::note_shed(*session);
  session->start_closing(ws::close_code::try_again_later, kReason);
  server.loop().call_after(kShedGrace, [&server, id] {
    if (session::Session* const left = server.sessions().find(id)) left->close();
  });
  return true;
}

}  // namespace fanfare::gateway
