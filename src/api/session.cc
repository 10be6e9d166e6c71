#include "fanfare/session.h"

#include <utility>

#include "api/connection.h"
#include "api/frame.h"
#include "api/loop_context.h"
#include "api/server_impl.h"
#include "api/settings.h"
#include "fanfare/hub.h"

namespace fanfare {
namespace {

constexpr std::size_t kControlBytesMax = 125;  // RFC6455§5.5

session::Session& engine_of(const Session& session) {
  return api::Connection::engine_of(session);
}

}  // namespace

Session::~Session() = default;

SendResult Session::send(std::string_view text) {
  return api::to_public(engine_of(*this).send(ws::Opcode::text, as_bytes(text)));
}

SendResult Session::send(Bytes binary) {
  return api::to_public(engine_of(*this).send(ws::Opcode::binary, binary));
}

SendResult Session::send(const Message& message) {
  const ws::Opcode opcode = message.is_text() ? ws::Opcode::text : ws::Opcode::binary;
  return api::to_public(engine_of(*this).send(opcode, message.bytes()));
}

SendResult Session::send(const Frame& frame) {
  return api::to_public(engine_of(*this).send_frame(api::EncodedFrame::bytes_of(frame)));
}

SendResult Session::send(std::string_view text, SendOptions options) {
  if (options.compress) return send(text);
  return api::to_public(engine_of(*this).send_uncompressed(ws::Opcode::text, as_bytes(text)));
}

SendResult Session::send(Bytes binary, SendOptions options) {
  if (options.compress) return send(binary);
  return api::to_public(engine_of(*this).send_uncompressed(ws::Opcode::binary, binary));
}

SendResult Session::ping(Bytes payload) {
  if (payload.size() > kControlBytesMax) return SendResult::closed;
  return api::to_public(engine_of(*this).ping(payload));
}

std::size_t Session::buffered_amount() const {
  return engine_of(*this).queued_bytes();
}

void Session::pause() {
  engine_of(*this).pause();
}

void Session::resume() {
  engine_of(*this).resume();
}

void Session::close(std::uint16_t code, std::string_view reason) {
  const api::CloseWords words = api::close_words(code, reason);
  engine_of(*this).start_closing(words.code, words.reason);
}

bool Session::is_open() const {
  return engine_of(*this).is_open();
}

bool Session::subscribe(std::string_view topic, TopicPolicy policy) {
  return api::Connection::of(*this).subscribe(topic, policy);
}

bool Session::unsubscribe(std::string_view topic) {
  return api::Connection::of(*this).unsubscribe(topic);
}

SessionTimer Session::call_after(std::chrono::milliseconds delay, UniqueFunction<void(Session&)> handler) {
  api::LoopContext& loop_context = api::Connection::loop_context();
  return {.number = loop_context.timers().add(engine_of(*this), delay, std::move(handler),
                                              loop_context.impl().options().limits.timers_per_session_max)};
}

bool Session::cancel(SessionTimer timer) {
  return api::Connection::loop_context().timers().cancel(engine_of(*this), timer.number);
}

Expected<Joined, JoinError> Session::subscribe(const HubTopic& topic, const JoinOptions& options) {
  // A topic of another server would never get an event on this one's loops.
  const bool is_ours = topic.impl_.lock().get() == &api::Connection::loop_context().impl();
  return api::Connection::of(*this).join(is_ours ? topic.topic_ : nullptr, options);
}

bool Session::unsubscribe(const HubTopic& topic) {
  return topic.topic_ != nullptr && api::Connection::of(*this).leave(*topic.topic_);
}

SessionId Session::id() const {
  const session::SessionId id = engine_of(*this).id();
  return {.loop = api::Connection::loop_context().index(), .slot = id.slot, .generation = id.generation};
}

std::string Session::peer() const {
  return engine_of(*this).peer();
}

std::string_view Session::subprotocol() const {
  return api::Connection::of(*this).subprotocol();
}

}  // namespace fanfare
