#include "api/server_hub.h"

#include <utility>

#include "api/hub_relay.h"
#include "api/server_impl.h"

namespace fanfare::api {

ServerHub::ServerHub(ServerImpl& server, HubOptions options) : server_(server), hub(options, random_) {}

ServerHub::~ServerHub() = default;

void ServerHub::set_relay(std::shared_ptr<Relay> relay) {
  relay_ = std::make_unique<HubRelay>(std::move(relay));
  hub.set_relay(*relay_);
}

std::size_t ServerHub::count() const {
  return server_.loop_count();
}

bool ServerHub::post(std::size_t loop, Task task) {
  return server_.post_to_loop(
      loop, [task = std::move(task)](LoopContext& loop_context) mutable { task(*loop_context.hub()); });
}

}  // namespace fanfare::api
