#include "canvasserver/visit.h"

#include <utility>

#include "canvasserver/binary_connection.h"
#include "canvasserver/json_connection.h"
#include "canvasserver/rooms.h"
#include "session/session_description.h"

namespace fanfare::canvasserver {

Visit::Visit(std::shared_ptr<RoomThread> room, Visitor visitor, std::unique_ptr<Permit> permit)
    : room_(std::move(room)), visitor_(std::move(visitor)), permit_(std::move(permit)) {}

Visit::~Visit() = default;

void Visit::on_opening(session::Session& /*session*/, std::string_view subprotocol) {
  is_binary_ = subprotocol == kSubprotocol;
}

void Visit::describe(session::SessionDescription& out) const {
  out.service = "canvas";
  out.place = room_->spec().name;
  if (connection_ != nullptr) out.principal = connection_->principal();
}

void Visit::open(LoopRooms& loop, session::Session& session) {
  LoopRoom& part = loop.part_of(room_);
  if (is_binary_) {
    connection_ = std::make_unique<BinaryConnection>(part, session, std::move(visitor_), std::move(permit_));
  } else {
    connection_ = std::make_unique<JsonConnection>(part, session, std::move(visitor_), std::move(permit_));
  }
  connection_->open();
}

}  // namespace fanfare::canvasserver
