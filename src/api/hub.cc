#include "fanfare/hub.h"

#include <charconv>
#include <utility>

#include "api/border.h"
#include "api/frame.h"
#include "api/handler_thread.h"
#include "api/misuse.h"
#include "api/server_impl.h"
#include "fanfare/relay.h"
#include "fanfare/store.h"
#include "pubsub/hub.h"
#include "ws/encode.h"

namespace fanfare {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Events are encoded by the topic's encoder, or sent as text.
pubsub::TopicSetup to_setup(HubTopicOptions options) {
  pubsub::TopicSetup setup{.history = options.history,
                           .policy = options.policy,
                           .limits = options.limits,
                           .presence = options.presence,
                           .presence_interval = saturating_duration(options.presence_interval),
                           .relayed = options.relayed,
                           .when_relay_down = options.when_relay_down,
                           .stored = options.stored};
  const bool has_encode = options.encode != nullptr;
  if (has_encode) {
    setup.encode = [encode = std::move(options.encode)](Position position, const SharedBytes& payload) {
      SharedBytes frame;  // stays empty if it throws
      api::call_handler(
          "encode", [&] { frame = api::EncodedFrame::bytes_of(encode(position, as_text(payload.view()))); });
      return frame;
    };
  }
  if (options.describe_presence) {
    setup.describe_presence = [describe = std::move(options.describe_presence),
                               has_encode](const PresenceChange& change) {
      const api::HandlerThread mark;  // of a relayed topic, it is a thread of the relay
      std::string text;
      if (!api::call_handler("describe_presence", [&] { text = describe(change); })) text.clear();
      if (text.empty()) return SharedBytes();
      return has_encode ? SharedBytes(as_bytes(text)) : api::EncodedFrame::bytes_of(Frame::text(text));
    };
  }
  return setup;
}

// The receipt of an event, whose exceptions end here.
pubsub::Receipt guarded(PublishReceipt receipt) {
  if (receipt == nullptr) return {};
  return [receipt = std::move(receipt)](std::optional<Position> position) mutable {
    api::call_handler("publish receipt", [&] { receipt(position); });
  };
}

}  // namespace

PublishResult HubTopic::publish(std::string_view text, PublishReceipt receipt) const {
  return offer(as_bytes(text), true, std::move(receipt));
}

PublishResult HubTopic::publish(Bytes binary, PublishReceipt receipt) const {
  return offer(binary, false, std::move(receipt));
}

PublishResult HubTopic::offer(Bytes payload, bool is_text, PublishReceipt receipt) const {
  if (topic_ == nullptr) return PublishResult::removed;
  const auto impl = impl_.lock();
  if (impl == nullptr) return PublishResult::stopped;
  pubsub::Receipt told = guarded(std::move(receipt));
  if (topic_->setup.encode) return impl->publish(topic_, SharedBytes(payload), std::move(told));
  const ws::Opcode opcode = is_text ? ws::Opcode::text : ws::Opcode::binary;
  return impl->publish(topic_, ws::encode_message(opcode, payload), std::move(told));
}

bool HubTopic::remove() const {
  const auto impl = impl_.lock();
  return topic_ != nullptr && impl != nullptr && impl->hub()->remove(*topic_);
}

const std::string& HubTopic::name() const {
  static const std::string none;
  return topic_ == nullptr ? none : topic_->name;
}

TopicMetrics HubTopic::metrics() const {
  return topic_ == nullptr ? TopicMetrics() : topic_->metrics();
}

std::uint64_t HubTopic::refused(PublishResult reason) const {
  return topic_ == nullptr ? 0 : topic_->refused(reason);
}

std::shared_ptr<const std::vector<std::string>> HubTopic::members() const {
  return topic_ == nullptr ? std::make_shared<const std::vector<std::string>>() : topic_->members();
}

Hub::Hub(Server& server, HubOptions options) : impl_(server.impl_) {
  impl_->add_hub(options);
}

void Hub::set_store(const Store& store) const {
  pubsub::Hub& hub = *impl_->hub();
  if (store.store_ == nullptr || hub.has_store() || hub.loops() != nullptr) {
    api::end_for_misuse("Hub::set_store()", "a hub has one open store, which is set before start()");
  }
  hub.set_store(store.store_);
}

void Hub::set_relay(std::shared_ptr<Relay> relay) const {
  api::ServerHub& hub = *impl_->server_hub();
  if (relay == nullptr || hub.has_relay() || hub.hub.loops() != nullptr) {
    api::end_for_misuse("Hub::set_relay()", "a hub has one relay, which is set before start()");
  }
  hub.set_relay(std::move(relay));
}

Expected<HubTopic, Error> Hub::add_topic(std::string name, HubTopicOptions options) const {
  if (options.relayed && !options.encode) {
    return Unexpected(Error{.kind = Error::Kind::bad_option,
                            .message = "relayed: needs encode, which builds the message on each instance"});
  }
  auto added = impl_->hub()->add(std::move(name), to_setup(std::move(options)));
  if (!added) return Unexpected(Error{.kind = Error::Kind::bad_option, .message = std::move(added.error())});
  HubTopic topic;
  topic.topic_ = *std::move(added);
  topic.impl_ = impl_;
  return topic;
}

HubTopic Hub::find(std::string_view name) const {
  HubTopic topic;
  topic.topic_ = impl_->hub()->find(name);
  topic.impl_ = impl_;
  return topic;
}

std::size_t Hub::topic_count() const {
  return impl_->hub()->topic_count();
}

std::size_t Hub::pending_messages() const {
  return impl_->hub()->room().messages();
}

std::size_t Hub::pending_bytes() const {
  return impl_->hub()->room().bytes();
}

std::string to_text(Position position) {
  return std::to_string(position.epoch) + "-" + std::to_string(position.offset);
}

std::optional<Position> parse_position(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto epoch = parse_number(text.substr(0, dash));
  const auto offset = parse_number(text.substr(dash + 1));
  if (!epoch || !offset) return std::nullopt;
  return Position{.epoch = *epoch, .offset = *offset};
}

}  // namespace fanfare
