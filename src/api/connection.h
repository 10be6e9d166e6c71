#pragma once
// What stands behind a public Session: the engine's session, and the topics it listens to. One thread, the
// loop's.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/server.h"
#include "pubsub/backlog.h"
#include "session/server_session.h"

namespace fanfare::api {

class Lane;

class Connection final : public session::SessionData {
 public:
  // `handle` is the session the handlers see; it lives as long as the connection.
  Connection(Lane& lane, session::ServerSession& engine, std::unique_ptr<Session> handle);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static Connection& of(const Session& handle);
  static Connection& of(const session::Session& engine) { return engine.data<Connection>(); }

  Session& handle() { return *handle_; }
  session::ServerSession& engine() { return engine_; }
  Lane& lane() { return lane_; }
  std::string_view subprotocol() const { return subprotocol_; }

  void subscribe(std::string_view topic, TopicPolicy policy);
  bool unsubscribe(std::string_view topic);
  void unsubscribe_all();

  // The outbox is empty: sends on what waits, with notices of what was dropped. True: nothing waits any more.
  bool send_waiting(const WebSocketRoute& route);

 private:
  class Subscription;

  void on_agreed(std::string_view subprotocol) override { subprotocol_ = subprotocol; }
  std::vector<std::unique_ptr<Subscription>>::iterator find(std::string_view topic);

  Lane& lane_;
  session::ServerSession& engine_;
  std::unique_ptr<Session> handle_;
  std::string subprotocol_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

}  // namespace fanfare::api
