#pragma once
// The hub of a public server: connects it to the server's loops, its store and its relay.

#include <cstddef>
#include <memory>

#include "base/random.h"
#include "fanfare/topic.h"
#include "pubsub/hub.h"

namespace fanfare {
class Relay;
}  // namespace fanfare

namespace fanfare::api {

class HubRelay;
class ServerImpl;

class ServerHub final : public pubsub::HubLoops {
 public:
  // The server must outlive it.
  ServerHub(ServerImpl& server, HubOptions options);
  ~ServerHub();
  ServerHub(const ServerHub&) = delete;
  ServerHub& operator=(const ServerHub&) = delete;

  // Before start().
  void set_relay(std::shared_ptr<Relay> relay);
  bool has_relay() const { return relay_ != nullptr; }
  // All loops exist. The relay starts.
  void start() { hub.attach(*this); }
  // The loops still run. Not on a loop, nor in a receipt: waits for the relay. May be called twice.
  void stop_relay() { hub.stop_relay(); }
  // The loops have ended.
  void stop_store() { hub.stop_store(); }

  std::size_t count() const override;
  bool post(std::size_t loop, Task task) override;

 private:
  ServerImpl& server_;
  SystemRandom random_;
  std::unique_ptr<HubRelay> relay_;  // null: none

 public:
  pubsub::Hub hub;  // uses the members before it
};

}  // namespace fanfare::api
