#pragma once
// A program's relay (fanfare/relay.h), as the hub uses it. Its exceptions end here, and a receipt counts at most once.

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "fanfare/relay.h"
#include "pubsub/relay.h"

namespace fanfare::api {

class HubRelay final : public pubsub::Relay, private RelaySink {
 public:
  explicit HubRelay(std::shared_ptr<fanfare::Relay> relay);

  void start(pubsub::RelaySink& sink) override;
  void stop() override;
  void open(std::string_view topic, const pubsub::RelayStart& from) override;
  void close(std::string_view topic, std::uint64_t opening) override;
  pubsub::RelayedPresence* presence() override { return native_ != nullptr ? native_->presence() : nullptr; }
  bool reads_on_demand() const override { return native_ != nullptr && native_->reads_on_demand(); }
  bool takes_while_down() const override { return native_ != nullptr && native_->takes_while_down(); }
  void read(std::string_view topic, Position after, std::size_t bytes_max, Read done) override;
  bool publish(std::string_view topic, const SharedBytes& payload, Done done,
               std::optional<Position> after) override;

 private:
  bool on_message(std::string_view topic, Position position, Bytes payload) override;
  void on_lost(std::string_view topic, Position until) override;
  void on_down() override { sink_->on_down(); }
  void on_back() override { sink_->on_back(); }

  const std::shared_ptr<fanfare::Relay> relay_;
  pubsub::Relay* native_ = nullptr;    // null: the program's own
  pubsub::RelaySink* sink_ = nullptr;  // from start() on
};

}  // namespace fanfare::api
