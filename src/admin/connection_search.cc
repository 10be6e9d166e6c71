#include "admin/connection_search.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "session/loop_server.h"
#include "session/session.h"
#include "session/session_description.h"
#include "session/session_table.h"

namespace fanfare::admin {
namespace {

void describe(const session::Session& session, ConnectionInfo& info) {
  const session::SessionData* const data = session::SessionTable::data_of(session);
  if (data == nullptr) return;
  session::SessionDescription described{.topics_max = kTopicsMax};
  data->describe(described);
  info.service = std::move(described.service);
  info.principal = std::move(described.principal);
  info.subscriptions = described.subscriptions;
  info.topics = std::move(described.topics);
  info.bytes_behind += described.waiting_bytes;
  if (info.service == "rpc") {
    info.project = described.place.substr(0, described.place.find('/'));
    info.network = std::move(described.place);
  } else if (info.service == "canvas") {
    info.room = std::move(described.place);
  }
}

// Held by its task, and so by one thread at a time.
class Search {
 public:
  Search(session::Server& server, ConnectionQuery query, UniqueFunction<void(ConnectionPage)> done)
      : server_(server), query_(std::move(query)), done_(std::move(done)), at_(query_.cursor) {}

  // Posts the next task, or is done.
  static void go_on(std::unique_ptr<Search> search) {
    if (search->at_.loop >= search->server_.loop_count()) return search->finish(false);
    session::Server& server = search->server_;
    const std::size_t loop = search->at_.loop;
    server.post(loop, [search = std::move(search)](session::LoopServer& on) mutable {
      if (search->look(on.sessions())) return search->finish(true);
      go_on(std::move(search));
    });
  }

 private:
  bool is_sorted() const { return query_.sort != ConnectionQuery::Sort::none; }

  // True: the page is full.
  bool look(session::SessionTable& table) {
    const bool describes = query_.needs_description();
    std::size_t slots = kSlotsPerTask;
    // An unsorted page ends in the middle: after the connection that fills it.
    while (slots > 0 && at_.slot < table.slot_count()) {
      const std::size_t step = is_sorted() ? slots : 1;
      at_.slot = table.visit_slots(at_.slot, step, [&](session::Member& member) {
        ConnectionInfo info = info_of(table, member, at_.loop, describes);
        if (query_.fits(info)) take(std::move(info), table, member, describes);
      });
      slots -= step;
      if (!is_sorted() && page_.connections.size() == query_.limit) return true;
    }
    if (at_.slot >= table.slot_count()) at_ = {.loop = at_.loop + 1, .slot = 0};
    return false;
  }

  void take(ConnectionInfo info, session::SessionTable& table, session::Member& member, bool described) {
    ++page_.matched;
    auto& best = page_.connections;
    const auto worse = [this](const ConnectionInfo& a, const ConnectionInfo& b) {
      return query_.rank(a) > query_.rank(b);
    };
    if (is_sorted() && best.size() == query_.limit) {
      if (query_.rank(info) <= query_.rank(best.front())) return;
      std::ranges::pop_heap(best, worse);
      best.pop_back();
    }
    if (!described) info = info_of(table, member, at_.loop, true);
    best.push_back(std::move(info));
    if (is_sorted()) std::ranges::push_heap(best, worse);
  }

  void finish(bool is_full) {
    if (is_full) page_.next = to_string(at_);
    if (is_sorted()) {
      std::ranges::stable_sort(page_.connections, [this](const ConnectionInfo& a, const ConnectionInfo& b) {
        return query_.rank(a) > query_.rank(b);
      });
    }
    done_(std::move(page_));
  }

  session::Server& server_;
  const ConnectionQuery query_;
  UniqueFunction<void(ConnectionPage)> done_;
  ConnectionQuery::Cursor at_;
  ConnectionPage page_;  // sorted: a heap with the least at its front
};

}  // namespace

ConnectionInfo info_of(session::SessionTable& table, session::Member& member, std::size_t loop,
                       bool describes) {
  const session::Session* const session = session::SessionTable::as_session(member);
  const bool is_http = session::SessionTable::as_http(member) != nullptr;
  ConnectionInfo info;
  info.id = to_string(ConnectionId{.loop = loop, .session = member.id()});
  info.kind = session != nullptr ? "websocket" : is_http ? "http" : "opening";
  info.address = member.peer();
  info.bytes_behind = member.queued_bytes();
  if (const session::ConnectionFacts* const facts = table.facts_of(member)) {
    info.age_s = std::chrono::duration<double>(table.loop().now() - facts->opened_at).count();
    if (facts->user_agent != nullptr) info.user_agent = *facts->user_agent;
    info.messages_received = facts->messages_received;
    info.messages_sent = facts->messages_sent;
  }
  if (session != nullptr && describes && session->is_open()) describe(*session, info);
  return info;
}

void search_connections(session::Server& server, ConnectionQuery query,
                        UniqueFunction<void(ConnectionPage)> done) {
  Search::go_on(std::make_unique<Search>(server, std::move(query), std::move(done)));
}

}  // namespace fanfare::admin
