#include "api/hub_relay.h"

#include <atomic>
#include <optional>

#include "api/border.h"
#include "api/handler_thread.h"

namespace fanfare::api {
namespace {

// The receipt of one event. The relay may have passed it to a thread of its own before publish() throws or returns
// false, so both decide between themselves whether the event was accepted.
class Handover {
 public:
  explicit Handover(pubsub::Relay::Done done) : done_(std::move(done)) {}

  // On a relay's thread.
  void tell(std::optional<Position> position) {
    if (decided_.exchange(true, std::memory_order_acq_rel)) return;
    // The program's receipt must not wait for a stop of its server, which waits for the relay.
    const HandlerThread mark;
    done_(position);
  }
  // False: tell() came first.
  bool refuse() {
    if (decided_.exchange(true, std::memory_order_acq_rel)) return false;
    done_ = nullptr;
    return true;
  }

 private:
  std::atomic<bool> decided_ = false;
  pubsub::Relay::Done done_;
};

}  // namespace

HubRelay::HubRelay(std::shared_ptr<fanfare::Relay> relay) : relay_(std::move(relay)) {
  if (auto* const found = dynamic_cast<pubsub::NativeRelay*>(relay_.get())) native_ = &found->native();
}

void HubRelay::start(pubsub::RelaySink& sink) {
  if (native_ != nullptr) return native_->start(sink);
  sink_ = &sink;
  call_handler("relay start", [this] { relay_->start(*this); });
}

void HubRelay::stop() {
  if (native_ != nullptr) return native_->stop();
  call_handler("relay stop", [this] { relay_->stop(); });
}

void HubRelay::open(std::string_view topic, const pubsub::RelayStart& from) {
  if (native_ != nullptr) return native_->open(topic, from);
  call_handler("relay open", [&] { relay_->open(topic); });
}

void HubRelay::close(std::string_view topic, std::uint64_t opening) {
  if (native_ != nullptr) return native_->close(topic, opening);
  call_handler("relay close", [&] { relay_->close(topic); });
}

bool HubRelay::publish(std::string_view topic, const SharedBytes& payload, Done done,
                       std::optional<Position> after) {
  if (native_ != nullptr) {
    auto marked = [done = std::move(done)](std::optional<Position> position) mutable {
      const HandlerThread mark;
      done(position);
    };
    return native_->publish(topic, payload, std::move(marked), after);
  }
  if (after) return false;  // fanfare::Relay has no such promise
  const auto handover = std::make_shared<Handover>(std::move(done));
  bool taken = false;
  call_handler("relay publish", [&] {
    taken = relay_->publish(topic, payload.view(),
                            [handover](std::optional<Position> position) { handover->tell(position); });
  });
  return taken || !handover->refuse();
}

void HubRelay::read(std::string_view topic, Position after, std::size_t bytes_max, Read done) {
  if (native_ != nullptr) native_->read(topic, after, bytes_max, std::move(done));
}

bool HubRelay::on_message(std::string_view topic, Position position, Bytes payload) {
  return sink_->on_message(topic, position, SharedBytes(payload));
}

void HubRelay::on_lost(std::string_view topic, Position until) {
  sink_->on_lost(topic, until);
}

}  // namespace fanfare::api
