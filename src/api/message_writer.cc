// Messages in pieces: the writer, and where it finds its session again.

#include <utility>

#include "api/connection.h"
#include "api/core.h"
#include "api/lane.h"
#include "api/misuse.h"
#include "api/settings.h"
#include "base/guard.h"
#include "ws/close_code.h"

namespace fanfare {
namespace {

constexpr std::string_view kAbandoned = "a message was not finished";

void abandon(session::LoopServer& server, SessionId id) {
  session::Session* const engine = server.sessions().find({.place = id.place, .generation = id.generation});
  if (engine != nullptr && engine->is_sending_pieces()) {
    engine->start_closing(ws::close_code::internal_error, kAbandoned);
  }
}

// The session's, when this is its thread. Null: the server is gone, or this is another thread.
api::Lane* lane_of(const std::weak_ptr<api::Core>& core, SessionId id) {
  const auto there = core.lock();
  api::Lane* const here = api::Lane::current();
  const bool is_here = there != nullptr && here != nullptr && &here->core() == there.get();
  return is_here && here->index() == id.loop ? here : nullptr;
}

// Null: the session is gone, or closing.
session::Session* find_open(const std::weak_ptr<api::Core>& core, SessionId id, std::string_view call) {
  if (core.expired()) return nullptr;
  api::Lane* const lane = lane_of(core, id);
  if (lane == nullptr) api::end_for_misuse(call, "only on the thread of its session's loop");
  session::Session* const engine =
      lane->server().sessions().find({.place = id.place, .generation = id.generation});
  return engine != nullptr && engine->is_sending_pieces() ? engine : nullptr;
}

}  // namespace

void api::Core::abandon_message(SessionId id) {
  if (!has_loops()) return;
  server_->post(id.loop, [id](session::LoopServer& server) { abandon(server, id); });
}

std::optional<MessageWriter> Session::begin_message(Message::Kind kind) {
  session::Session& engine = api::Connection::engine_of(*this);
  if (engine.is_sending_pieces()) return std::nullopt;
  const ws::Opcode opcode = kind == Message::Kind::text ? ws::Opcode::text : ws::Opcode::binary;
  // An empty first frame: from here on nothing else can come first.
  if (engine.send_piece(opcode, {}, false) == session::SendResult::closed) return std::nullopt;
  return MessageWriter(api::Connection::lane().core().weak_from_this(), id());
}

MessageWriter& MessageWriter::operator=(MessageWriter&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(session_, other.session_);
  return *this;
}

MessageWriter::~MessageWriter() {
  const auto core = core_.lock();
  if (core == nullptr) return;
  run_guarded("an unfinished message", [&] {
    if (api::Lane* const lane = lane_of(core_, session_)) {
      abandon(lane->server(), session_);
    } else {
      core->abandon_message(session_);
    }
  });
}

SendResult MessageWriter::write(std::string_view piece) {
  return write(as_bytes(piece));
}

SendResult MessageWriter::write(Bytes piece) {
  session::Session* const engine = find_open(core_, session_, "MessageWriter::write()");
  if (engine == nullptr) return SendResult::closed;
  if (piece.empty()) return SendResult::queued;
  return api::to_public(engine->send_piece(ws::Opcode::binary, piece, false));
}

SendResult MessageWriter::finish() {
  session::Session* const engine = find_open(core_, session_, "MessageWriter::finish()");
  core_.reset();
  if (engine == nullptr) return SendResult::closed;
  return api::to_public(engine->send_piece(ws::Opcode::binary, {}, true));
}

bool MessageWriter::is_open() const {
  return find_open(core_, session_, "MessageWriter::is_open()") != nullptr;
}

}  // namespace fanfare
