// Messages in pieces: the writer, and how it finds its session.

#include <utility>

#include "api/connection.h"
#include "api/loop_context.h"
#include "api/misuse.h"
#include "api/server_impl.h"
#include "api/settings.h"
#include "base/guard.h"
#include "ws/close_code.h"

namespace fanfare {
namespace {

constexpr std::string_view kAbandoned = "a message was not finished";

void abandon(session::LoopServer& server, SessionId id) {
  session::Session* const engine = server.sessions().find({.slot = id.slot, .generation = id.generation});
  if (engine != nullptr && engine->is_sending_pieces()) {
    engine->start_closing(ws::close_code::internal_error, kAbandoned);
  }
}

// Returns the context of the session's loop on its thread. Null on other threads, or if the server no longer
// exists.
api::LoopContext* lane_of(const std::weak_ptr<api::ServerImpl>& impl, SessionId id) {
  const auto there = impl.lock();
  api::LoopContext* const here = api::LoopContext::current();
  const bool is_here = there != nullptr && here != nullptr && &here->impl() == there.get();
  return is_here && here->index() == id.loop ? here : nullptr;
}

// Returns null if the session has ended or is closing.
session::Session* find_open(const std::weak_ptr<api::ServerImpl>& impl, SessionId id, std::string_view call) {
  if (impl.expired()) return nullptr;
  api::LoopContext* const loop_context = lane_of(impl, id);
  if (loop_context == nullptr) api::end_for_misuse(call, "only on the thread of its session's loop");
  session::Session* const engine =
      loop_context->server().sessions().find({.slot = id.slot, .generation = id.generation});
  return engine != nullptr && engine->is_sending_pieces() ? engine : nullptr;
}

}  // namespace

void api::ServerImpl::abandon_message(SessionId id) {
  if (!has_loops()) return;
  server_->post(id.loop, [id](session::LoopServer& server) { abandon(server, id); });
}

std::optional<MessageWriter> Session::begin_message(Message::Kind kind) {
  session::Session& engine = api::Connection::engine_of(*this);
  if (engine.is_sending_pieces()) return std::nullopt;
  const ws::Opcode opcode = kind == Message::Kind::text ? ws::Opcode::text : ws::Opcode::binary;
  // Sends an empty first frame, so that no other message can come first.
  if (engine.send_piece(opcode, {}, false) == session::SendResult::closed) return std::nullopt;
  return MessageWriter(api::Connection::loop_context().impl().weak_from_this(), id());
}

MessageWriter& MessageWriter::operator=(MessageWriter&& other) noexcept {
  std::swap(impl_, other.impl_);
  std::swap(session_, other.session_);
  return *this;
}

MessageWriter::~MessageWriter() {
  const auto impl = impl_.lock();
  if (impl == nullptr) return;
  run_guarded("an unfinished message", [&] {
    if (api::LoopContext* const loop_context = lane_of(impl_, session_)) {
      abandon(loop_context->server(), session_);
    } else {
      impl->abandon_message(session_);
    }
  });
}

SendResult MessageWriter::write(std::string_view piece) {
  return write(as_bytes(piece));
}

SendResult MessageWriter::write(Bytes piece) {
  session::Session* const engine = find_open(impl_, session_, "MessageWriter::write()");
  if (engine == nullptr) return SendResult::closed;
  if (piece.empty()) return SendResult::queued;
  return api::to_public(engine->send_piece(ws::Opcode::binary, piece, false));
}

SendResult MessageWriter::finish() {
  session::Session* const engine = find_open(impl_, session_, "MessageWriter::finish()");
  impl_.reset();
  if (engine == nullptr) return SendResult::closed;
  return api::to_public(engine->send_piece(ws::Opcode::binary, {}, true));
}

bool MessageWriter::is_open() const {
  return find_open(impl_, session_, "MessageWriter::is_open()") != nullptr;
}

}  // namespace fanfare
