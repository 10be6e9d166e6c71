#include "canvasserver/requests.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "canvas/json_messages.h"
#include "canvasserver/log_past.h"

namespace fanfare::canvasserver {

using canvas::Actor;
using canvas::DrawResult;
using canvas::ErrorCode;
using canvas::ModerationEvent;
using canvas::ProtocolError;

namespace {

// Everything that an answer needs, on any thread.
struct Asker {
  std::shared_ptr<Member> member;
  canvas::Rights rights;
  session::SessionId connection;
  std::string id;  // raw JSON; empty: none

  static Asker of(Connection& connection, std::string id = {}) {
    return {.member = connection.member(),
            .rights = connection.rights(),
            .connection = connection.id(),
            .id = std::move(id)};
  }
  Actor actor() const { return {.user = member->user, .payer = member->payer, .rights = rights}; }
  bool is_here() const { return member->user != 0; }

  // The room's thread:
  void refuse(RoomThread& room, ProtocolError error) const {
    room.metrics().count(error.code);
    error.id = id;
    room.send(*member, Connection::to(connection, [error = std::move(error)](Connection& there) mutable {
      there.send_json_error(error);
    }));
  }
  void say(RoomThread& room, std::string message) const {
    room.acknowledge(*member, Connection::to(connection, [message = std::move(message)](Connection& there) {
      there.send_text(message);
    }));
  }
};

constexpr std::chrono::milliseconds kPastRetry{1000};

ProtocolError past_is_busy() {
  return {.code = ErrorCode::too_many_messages,
          .message = "too many requests read the past",
          .retry_after = kPastRetry};
}

ProtocolError past_problem(std::string message) {
  return {.code = ErrorCode::storage_full, .message = std::move(message)};
}

ProtocolError too_old(const ModerationEvent& event, std::string message) {
  return {.code = ErrorCode::out_of_range,
          .message = std::move(message),
          .field = event.kind == ModerationEvent::Kind::rollback ? "at_ms" : "since_ms",
          .value = std::to_string(event.at_ms)};
}

void finish(RoomThread& room, const Asker& asker, const DrawResult& result, bool counts) {
  if (result.error) return asker.refuse(room, *result.error);
  if (counts) return asker.say(room, canvas::ok_message(asker.id, result.accepted));
  if (!asker.id.empty()) asker.say(room, canvas::ok_message(asker.id));
}

bool is_about_chunks(const ProtocolError& error) {
  return error.field.contains("chunks");
}

// An ACK has no text, and only the text says what the room wants, or that the chunk is the reason.
bool needs_text(const ProtocolError& error) {
  return error.code == ErrorCode::proof_required || is_about_chunks(error);
}

// As an ERROR has no fields.
ProtocolError with_numbers(ProtocolError error) {
  if (is_about_chunks(error)) {
    error.message =
        joined({error.field, " is ", error.limit, ", this would be ", error.value, ": ", error.message});
  }
  return error;
}

void acknowledge(RoomThread& room, const Asker& asker, std::uint32_t request, const DrawResult& result) {
  if (result.error) room.metrics().count(result.error->code);
  canvas::ByteVector bytes;
  if (result.error && needs_text(*result.error)) {
    canvas::append_error(bytes, with_numbers(*result.error));
    room.send(*asker.member, Connection::to(asker.connection, [frame = binary_frame(bytes)](
                                                                  Connection& there) { there.send(frame); }));
    bytes.clear();
  }
  canvas::append_ack(bytes, request, result.accepted, result.error);
  auto task = Connection::to(asker.connection,
                             [frame = binary_frame(bytes)](Connection& there) { there.send(frame); });
  // A refusal waits for nothing.
  if (result.accepted == 0) return room.send(*asker.member, std::move(task));
  room.acknowledge(*asker.member, std::move(task));
}

// Runs `ask` on the storage's thread with the past, then what it returns on the room's. False: it was refused.
template <typename Ask>
bool ask_past(RoomThread& room, const Asker& asker, Ask ask) {
  if (room.storage() == nullptr) return asker.refuse(room, past_problem("this room keeps no log")), false;
  const bool is_asked =
      room.storage()->read_past([&room, ask = std::move(ask)](PastLog& log) mutable { room.post(ask(log)); },
                                RoomStorage::PastUse::moderation, nullptr);
  if (!is_asked) asker.refuse(room, past_is_busy());
  return is_asked;
}

bool ask_restoration(RoomThread& room, const Asker& asker, ModerationEvent event) {
  return ask_past(room, asker, [&room, asker, event = std::move(event)](PastLog& log) -> RoomThread::Task {
    LogPast past(log, room.spec());
    canvas::Restoration found = canvas::restore_for(event, room.spec(), past);
    return [asker, event, found = std::move(found), problem = past.problem(),
            is_too_old = past.is_too_old()](RoomThread& there) mutable {
      if (is_too_old || !problem.empty() || !asker.is_here()) {
        there.end_restoration();
        if (is_too_old) return asker.refuse(there, too_old(event, std::move(problem)));
        if (!problem.empty()) return asker.refuse(there, past_problem(std::move(problem)));
        return;
      }
      there.restore(asker.actor(), event, found,
                    [asker](RoomThread& changed, const std::expected<std::size_t, ProtocolError>& done) {
                      changed.end_restoration();
                      if (!done) return asker.refuse(changed, done.error());
                      asker.say(changed, canvas::ok_message(asker.id, *done));
                    });
    };
  });
}

void restore(RoomThread& room, const Asker& asker, const ModerationEvent& event) {
  const bool waits = room.begin_restoration([asker, event](RoomThread& there) {
    if (!asker.is_here() || !ask_restoration(there, asker, event)) there.end_restoration();
  });
  if (!waits) asker.refuse(room, past_is_busy());
}

void who(RoomThread& room, const Asker& asker, canvas::CursorMessage::Position place) {
  ask_past(room, asker, [&room, asker, place](PastLog& log) -> RoomThread::Task {
    LogPast past(log, room.spec());
    std::vector<canvas::WhoEntry> entries;
    std::vector<std::uint32_t> numbers;
    for (const canvas::PastPixel& pixel : past.drawn_at(place.x, place.y, canvas::kWhoMax)) {
      entries.push_back({.pixel = pixel, .name = ""});
      numbers.push_back(pixel.user);
    }
    const auto users = log.users(numbers);
    for (canvas::WhoEntry& entry : entries) {
      if (!users) break;
      const auto found = std::ranges::find(*users, entry.pixel.user, &LoggedUser::number);
      if (found != users->end()) entry.name = found->name;
    }
    std::string text = canvas::history_message(room.spec(), asker.id, place.x, place.y, entries);
    return [asker, text = std::move(text), problem = past.problem()](RoomThread& there) mutable {
      if (!problem.empty()) return asker.refuse(there, past_problem(std::move(problem)));
      asker.say(there, std::move(text));
    };
  });
}

// One overload for each kind of JSON request.
struct HandleJson {
  Connection& connection;
  std::string& id;

  void operator()(canvas::DrawRequest& draw) const {
    ask([draw = std::move(draw)](RoomThread& room, const Asker& asker) {
      room.draw(
          asker.actor(), std::span(&draw.pixel, 1), draw.proof,
          [asker](RoomThread& there, const DrawResult& result) { finish(there, asker, result, false); });
    });
  }
  void operator()(const canvas::CursorRequest& cursor) const { connection.cursor(cursor.position); }
  void operator()(const canvas::WatchRequest& watch) const {
    const std::size_t chunks = canvas::ChunkArea::of(watch.area).count();
    const std::size_t chunks_max = connection.room().limits().watched_chunks_max;
    if (chunks <= chunks_max) return connection.watch(watch.area);
    connection.room().room().metrics().count(ErrorCode::out_of_range);
    connection.send_json_error(
        {.code = ErrorCode::out_of_range,
         .message = joined({"this area is in ", std::to_string(chunks), " chunks, and at most ",
                            std::to_string(chunks_max), " can be watched: watch a smaller one"}),
         .id = id,
         .field = "watched_chunks_max",
         .value = std::to_string(chunks),
         .limit = std::to_string(chunks_max)});
  }
  void operator()(const canvas::UndoRequest& undo) const {
    ask([count = undo.count](RoomThread& room, const Asker& asker) {
      room.undo(asker.actor(), count,
                [asker](RoomThread& there, const DrawResult& result) { finish(there, asker, result, true); });
    });
  }
  void operator()(const canvas::UsersRequest& asked) const {
    ask([after = asked.after](RoomThread& room, const Asker& asker) {
      std::string text =
          canvas::users_message(asker.id, room.room().presence().page(after, asker.member->user));
      room.send(*asker.member, Connection::to(asker.connection, [text = std::move(text)](Connection& there) {
        there.send_text(text);
      }));
    });
  }
  void operator()(const canvas::PingRequest&) const { connection.send_text(canvas::pong_message(id)); }
  void operator()(const canvas::AuthenticateRequest& fresh) const {
    connection.authenticate(id, fresh.token);
  }
  void operator()(const canvas::WhoRequest& asked) const {
    moderate([place = asked.place](RoomThread& room, const Asker& asker) { who(room, asker, place); });
  }
  void operator()(canvas::RestoreRequest& asked) const {
    moderate([event = std::move(asked.event)](RoomThread& room, const Asker& asker) {
      restore(room, asker, event);
    });
  }
  void operator()(const canvas::BanRequest& ban) const {
    moderate([ban](RoomThread& room, const Asker& asker) {
      room.ban(asker.actor(), ban.user, ban.seconds,
               [asker](RoomThread& there, const std::expected<void, ProtocolError>& done) {
                 if (!done) return asker.refuse(there, done.error());
                 asker.say(there, canvas::ok_message(asker.id));
               });
    });
  }

 private:
  template <typename Do>
  void ask(Do act) const {
    connection.request([asker = Asker::of(connection, id), act = std::move(act)](RoomThread& room) {
      if (asker.is_here()) act(room, asker);
    });
  }
  template <typename Do>
  void moderate(Do act) const {
    ask([act = std::move(act)](RoomThread& room, const Asker& asker) {
      if (auto problem = canvas::Room::moderation_problem(asker.actor()))
        return asker.refuse(room, *std::move(problem));
      act(room, asker);
    });
  }
};

}  // namespace

void receive_json(Connection& connection, std::string_view text) {
  auto request = canvas::parse_json_request(text, connection.spec());
  if (!request) {
    connection.room().room().metrics().count(request.error().code);
    return connection.send_json_error(request.error());
  }
  std::visit(HandleJson{.connection = connection, .id = request->id}, request->action);
}

void draw_pixels(Connection& connection, canvas::PixelsMessage message) {
  const std::size_t bytes = message.pixels.size() * sizeof message.pixels[0] + message.proof.size();
  connection.request(
      [asker = Asker::of(connection), message = std::move(message)](RoomThread& room) {
        if (!asker.is_here()) return;
        room.draw(asker.actor(), message.pixels, message.proof,
                  [asker, request = message.request](RoomThread& there, const DrawResult& result) {
                    acknowledge(there, asker, request, result);
                  });
      },
      128 + bytes);
}

void undo_pixels(Connection& connection, const canvas::UndoMessage& message) {
  connection.request([asker = Asker::of(connection), message](RoomThread& room) {
    if (!asker.is_here()) return;
    room.undo(asker.actor(), message.count,
              [asker, request = message.request](RoomThread& there, const DrawResult& result) {
                acknowledge(there, asker, request, result);
              });
  });
}

}  // namespace fanfare::canvasserver
