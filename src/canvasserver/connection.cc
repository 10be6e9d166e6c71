#include "canvasserver/connection.h"

#include "canvas/json_messages.h"
#include "canvasserver/requests.h"
#include "ws/close_code.h"

namespace fanfare::canvasserver {

using canvas::ErrorCode;
using canvas::ProtocolError;

namespace {

// Of error messages about the rate of messages.
constexpr Duration kTooManyInterval = std::chrono::seconds(1);

}  // namespace

Connection::Connection(LoopRoom& room, session::Session& session, Visitor visitor,
                       std::unique_ptr<Permit> permit)
    : room_(room),
      session_(session),
      id_(session.id()),
      permit_(std::move(permit)),
      visitor_(std::move(visitor)) {
  member_->link = room.link();
  member_->payer = visitor_.payer;
  room_.add(*this);
  room_.room().metrics().connections.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() {
  room_.slow_watch().remove(*this);
  room_.set_area(*this, area_, std::nullopt);
  room_.remove(*this);
  room_.room().metrics().connections.fetch_sub(1, std::memory_order_relaxed);
  request([member = member_](RoomThread& room) { room.leave(*member); });
}

void Connection::open() {
  if (permit_ != nullptr) permit_->begin(*this);
  // What it says before it is in the room would find nobody.
  const bool waits = room_.room().shared() != nullptr;
  if (waits) session_.pause();
  request([member = member_, visitor = visitor_, rights = rights(), id = id_, waits](RoomThread& room) {
    room.join(member,
              {.identity = visitor.identity,
               .name = visitor.name,
               .payer = visitor.payer,
               .colour = visitor.colour},
              [member, visitor, rights, id, waits](RoomThread& there) {
                answer_join(there, *member, visitor, rights, id, waits);
              });
  });
}

void Connection::answer_join(RoomThread& room, const Member& member, const Visitor& visitor,
                             canvas::Rights rights, session::SessionId id, bool waits) {
  if (member.user == 0) {
    return room.send(
        member, to(id, [is_ready = room.is_writable()](Connection& there) { there.refuse_join(is_ready); }));
  }
  Joined joined{.welcome = {.epoch = room.epoch(),
                            .now_ms = RoomThread::now().wall_ms,
                            .user_id = canvas::user_id_of(member.user),
                            .user = member.user,
                            .rights = rights},
                .users = room.room().presence().list(
                    {.user = member.user, .name = visitor.name, .colour = visitor.colour})};
  room.send(member, to(id, [joined = std::move(joined), waits](Connection& there) {
              there.welcome(joined);
              if (waits) there.resume();
            }));
}

void Connection::refuse_join(bool is_full) {
  session_.start_closing(ws::close_code::try_again_later, is_full ? "the room has all the users it may have"
                                                                  : "the room waits for its broker");
  session_.resume();
}

void Connection::begin_again() {
  session_.start_closing(ws::close_code::service_restart, "the room begins again");
}

void Connection::receive(const session::Message& message) {
  room_.room().metrics().messages.fetch_add(1, std::memory_order_relaxed);
  handle(message);
  if (permit_ != nullptr) permit_->charge_bytes(message.payload.size());
  if (!room_.is_full() || !is_open()) return;
  session_.pause();
  room_.resume_later(id_);
}

void Connection::handle(const session::Message& message) {
  const bool is_text = message.opcode == ws::Opcode::text;
  if (auto problem = limit_problem(message.payload.size())) {
    if (problem->message.empty()) return;
    return is_text ? send_json_error(*problem) : send_error(*std::move(problem));
  }
  if (is_text) return receive_json(*this, as_text(message.payload));
  receive_binary(message.payload);
}

std::optional<ProtocolError> Connection::limit_problem(std::size_t bytes) {
  const canvas::Limits& limits = room_.limits();
  const Instant now = room_.loop().now();
  const std::uint64_t rate = limits.messages_per_second;
  if (flood_.take({.per_second = rate * canvas::kMessageFloodFactor}, 1, now) > Duration::zero()) {
    session_.start_closing(ws::close_code::policy_violation, "far too many messages");
    return ProtocolError{.code = ErrorCode::too_many_messages};
  }
  ProtocolError problem{.code = ErrorCode::too_many_messages};
  Duration wait = messages_.take({.per_second = rate}, 1, now);
  if (wait > Duration::zero()) {
    problem.message = "at most " + std::to_string(rate) + " messages a second";
    problem.limit = std::to_string(rate);
  } else if (permit_ != nullptr) {
    if (auto refused = permit_->take_message()) {
      problem.message = std::move(refused->message);
      wait = refused->retry_after;
    }
  }
  if (!problem.message.empty() || wait > Duration::zero()) {
    room_.room().metrics().count(problem.code);
    if (said_too_many_ && now - *said_too_many_ < kTooManyInterval)
      return ProtocolError{.code = problem.code};
    said_too_many_ = now;
    problem.retry_after = canvas::retry_ms(wait);
    return problem;
  }
  if (bytes <= limits.message_bytes_max) return std::nullopt;
  room_.room().metrics().count(ErrorCode::message_too_big);
  return ProtocolError{.code = ErrorCode::message_too_big,
                       .message = "at most " + std::to_string(limits.message_bytes_max) + " bytes",
                       .limit = std::to_string(limits.message_bytes_max)};
}

void Connection::on_drained() {
  room_.slow_watch().remove(*this);
  pump();
}

bool Connection::send(const SharedBytes& frame) {
  const session::SendResult sent = session_.send_frame(frame);
  if (sent == session::SendResult::closed) return false;
  if (sent == session::SendResult::congested) room_.slow_watch().add(*this);
  room_.room().metrics().sent_bytes.fetch_add(frame.size(), std::memory_order_relaxed);
  if (permit_ != nullptr) permit_->charge_bytes(frame.size());
  return true;
}

void Connection::send_text(std::string_view message) {
  send(text_frame(message));
}

void Connection::send_json_error(const ProtocolError& error) {
  send_text(canvas::error_message(error));
}

void Connection::request(RoomThread::Task task, std::size_t bytes) {
  room_.request(std::move(task), bytes);
}

// Without access control everybody may draw, and nobody may moderate.
canvas::Rights Connection::rights() const {
  return permit_ == nullptr ? canvas::Rights{} : permit_->rights(spec().name);
}

void Connection::set_area(const std::optional<canvas::ChunkArea>& area) {
  room_.set_area(*this, area_, area);
  area_ = area;
}

void Connection::cursor(const std::optional<canvas::CursorMessage::Position>& position) {
  request([member = member_, position](RoomThread& room) { room.move_cursor(*member, position); });
}

void Connection::authenticate(const std::string& id, const std::string& token) {
  ProtocolError problem{
      .code = ErrorCode::not_authenticated, .message = "this server has no access control", .id = id};
  if (permit_ != nullptr) {
    const auto done = permit_->authenticate(token);
    if (done) return send_text(canvas::ok_message(id));
    problem.message = done.error().message;
    if (done.error().retry_after > Duration::zero())
      problem.retry_after = canvas::retry_ms(done.error().retry_after);
  }
  room_.room().metrics().count(problem.code);
  send_json_error(problem);
}

void Connection::end_as_too_slow() {
  room_.room().metrics().slow_closed.fetch_add(1, std::memory_order_relaxed);
  session_.start_closing(ws::close_code::try_again_later, "reading too slowly");
}

void Connection::on_permit_changed() {
  if (permit_->may_view(spec().name)) return;
  permit_->count_refused();
  session_.start_closing(ws::close_code::policy_violation,
                         "these credentials do not grant the room any more");
}

void Connection::on_permit_ended(std::string_view reason) {
  session_.start_closing(ws::close_code::policy_violation, reason);
}

}  // namespace fanfare::canvasserver
