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
  // `with_data` is the session the handlers see; null: one without data.
  Connection(session::ServerSession& engine, std::unique_ptr<Session> with_data);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static Connection& of(const Session& handle);
  static Connection& of(const session::Session& engine) { return engine.data<Connection>(); }

  Session& handle() { return rare_ == nullptr || rare_->with_data == nullptr ? handle_ : *rare_->with_data; }
  session::ServerSession& engine() { return engine_; }
  static Lane& lane();
  std::string_view subprotocol() const {
    return rare_ == nullptr ? "" : std::string_view(rare_->subprotocol);
  }

  void subscribe(std::string_view topic, TopicPolicy policy);
  bool unsubscribe(std::string_view topic);
  void unsubscribe_all();

  // The outbox is empty: sends on what waits, with notices of what was dropped. True: nothing waits any more.
  bool send_waiting(const WebSocketRoute& route);

 private:
  class Subscription;
  using Subscriptions = std::vector<std::unique_ptr<Subscription>>;
  class SessionWithoutData final : public Session {};
  // What most connections of a plain server have nothing of.
  struct Rare {
    std::unique_ptr<Session> with_data;
    std::string subprotocol;
    Subscriptions subscriptions;
  };

  void on_agreed(std::string_view subprotocol) override;
  Rare& rare();
  static Subscriptions::iterator find(Subscriptions& subscriptions, std::string_view topic);

  session::ServerSession& engine_;
  SessionWithoutData handle_;
  std::unique_ptr<Rare> rare_;
};

static_assert(sizeof(Connection) <= 40, "beside the engine's session, what an idle one costs");

}  // namespace fanfare::api
