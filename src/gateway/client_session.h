#pragma once
// A WebSocket that continues a session (docs/subscriptions.md, "Sessions"): learns by pings what its client has received,
// and delays what a subscription missed until the client has read the answer to eth_subscribe. Loop thread.
//
//   events, ping n  ->                a pong n: the client has received everything before ping n
//                   <-  pong n        at most one ping is under way; what was sent since then is covered by the next

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eth/resume_link.h"
#include "eth/resume_store.h"
#include "session/loop_server.h"
#include "session/session.h"

namespace fanfare::gateway {

class ClientSession final : public eth::ResumeLink {
 public:
  struct Context {
    session::LoopServer& server;
    // Finds the object again, in a session that may be another one by now. Null: it has none.
    ClientSession* (*of)(session::Session& session);
    // The subscription gets what it missed.
    std::function<void(session::Session& session, const std::string& id)> activate;
  };

  ClientSession(eth::ResumeLease lease, Context context);

  // "new", or "resumed": an earlier connection had the session.
  std::string_view state() const { return lease_.is_known() ? "resumed" : "new"; }
  // The connection is open. It is closed when another connection takes the session.
  void on_open(session::Session& session);
  // Activates the subscription once the client has read what was sent so far.
  void activate_later(std::string id);
  void on_pong(session::Session& session, Bytes payload);
  void on_close(const session::CloseInfo& info);

 private:
  bool make_room() override { return lease_.make_room(); }
  void on_noted() override {
    is_dirty_ = true;
    send_later();
  }
  void send_later();
  void send(session::Session& session);

  eth::ResumeLease lease_;
  const Context context_;
  session::SessionId id_{};
  bool is_scheduled_ = false;
  bool is_dirty_ = false;             // something was sent after the last ping
  bool is_under_way_ = false;         // a ping
  std::uint64_t pings_ = 0;           // also the number of the last one
  std::vector<std::string> covered_;  // subscriptions to activate with its pong
  std::vector<std::string> next_;     // with the one after
};

}  // namespace fanfare::gateway
