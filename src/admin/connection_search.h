#pragma once
// Collects the connections that a query asks for. One task goes from loop to loop: on each it looks at a few
// slots of the table, then lets the loop do its other work before the next ones. So a search holds no loop for
// long, needs no lock, and costs nothing when nobody asks.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "admin/connection_id.h"
#include "admin/connection_query.h"
#include "admin/model.h"
#include "fanfare/unique_function.h"
#include "session/server.h"

namespace fanfare::admin {

// Slots that one task looks at: well under a millisecond.
inline constexpr std::size_t kSlotsPerTask = 512;
// Topics of one connection that are compared and shown; further ones are only counted.
inline constexpr std::size_t kTopicsMax = 64;

struct ConnectionPage {
  std::vector<ConnectionInfo> connections;
  std::string next;         // `cursor` of the next page; empty: this is the last one
  std::size_t matched = 0;  // in a sorted answer: of all pages
};

// `done` runs once, on some loop's thread, or is destroyed unrun if the server ends before. Any thread. The
// server must outlive the search.
void search_connections(session::Server& server, ConnectionQuery query,
                        UniqueFunction<void(ConnectionPage)> done);

// What is known of a member; on its loop's thread. `describes`: also what only its program knows.
ConnectionInfo info_of(session::SessionTable& table, session::Member& member, std::size_t loop,
                       bool describes);

}  // namespace fanfare::admin
