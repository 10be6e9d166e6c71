#include "canvasserver/mounts.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "access/address.h"
#include "canvas/json_messages.h"
#include "canvasserver/picture.h"
#include "canvasserver/visit.h"
#include "http/target.h"
#include "session/session_table.h"
#include "ws/rules.h"

namespace fanfare::canvasserver {

using session::HttpResponse;

namespace {

HttpResponse text_answer(int status, std::string text) {
  return {.status = status, .body = std::move(text) + "\n", .headers = {}};
}

HttpResponse later_answer(int status, std::string text) {
  HttpResponse answer = text_answer(status, std::move(text));
  answer.headers.push_back({.name = "Retry-After", .value = "1"});
  return answer;
}

// `of_client`: the limit is that of one address or name; others still get theirs.
HttpResponse busy_answer(bool of_client) {
  return of_client ? later_answer(429, "too many pictures are being made for you")
                   : later_answer(503, "too many pictures are being made");
}

HttpResponse no_such_room() {
  return text_answer(404, "no such room");
}

// To a picture that was not made. Its room may have been removed meanwhile.
HttpResponse no_picture(const std::weak_ptr<RoomThread>& room, std::string why) {
  const auto there = room.lock();
  if (there == nullptr || there->has_ended()) return no_such_room();
  return later_answer(503, std::move(why));
}

// A room that may not be seen looks like one that does not exist.
std::expected<Entrance, HttpResponse> enter(const MountContext& context, session::HttpConnection& session,
                                            const server::Target& target) {
  std::string_view name;
  for (const auto& parameter : target.match.parameters) {
    if (parameter.name == kRoomParameter) name = parameter.value;
  }
  Entrance entrance{.room = context.loop->rooms().find(name), .permit = nullptr};
  if (context.make_permit) entrance.permit = context.make_permit(session, target);
  const bool is_granted = entrance.permit == nullptr || entrance.permit->may_view(name);
  if (entrance.room != nullptr && is_granted) {
    if (entrance.room->is_ready()) return entrance;
    return std::unexpected(later_answer(503, "the room waits for its broker"));
  }
  if (!is_granted) entrance.permit->count_refused();
  return std::unexpected(no_such_room());
}

std::optional<HttpResponse> quota_answer(Permit* permit) {
  if (permit == nullptr) return std::nullopt;
  const auto refused = permit->take_message();
  if (!refused) return std::nullopt;
  HttpResponse answer = text_answer(429, refused->message);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(refused->retry_after).count();
  answer.headers.push_back({.name = "Retry-After", .value = std::to_string(seconds)});
  return answer;
}

template <typename Number>
std::optional<Number> number_of(std::string_view text, int base = 10) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

// Each parameter is optional; one that cannot be used says so.
std::expected<Visitor, std::string> visitor_of(std::string_view query) {
  Visitor visitor;
  for (const http::Parameter& parameter : http::query_parameters(query)) {
    if (parameter.name == "name") {
      if (!parameter.value.empty() && !canvas::is_valid_name(parameter.value)) {
        return std::unexpected(
            "name must be valid UTF-8 without control characters, with one that can be seen, at most 32 "
            "characters");
      }
      visitor.name = parameter.value;
    } else if (parameter.name == "color") {
      const auto colour = number_of<std::uint32_t>(parameter.value, 16);
      if (!colour || parameter.value.size() != 6)
        return std::unexpected("color must be rrggbb in hexadecimal");
      visitor.colour = *colour;
    } else if (parameter.name == "session") {
      if (!canvas::is_valid_session(parameter.value)) {
        return std::unexpected("session must be 8 to 64 letters, digits, '-' or '_'");
      }
      // Names of access control begin with another letter.
      visitor.identity = "s:" + parameter.value;
    }
  }
  return visitor;
}

struct Wanted {
  canvas::Area area;
  std::optional<std::int64_t> at_ms;
};

std::expected<Wanted, std::string> wanted_picture(const canvas::RoomSpec& spec, std::string_view query) {
  Wanted wanted;
  std::optional<std::uint32_t> x, y, width, height;
  for (const http::Parameter& parameter : http::query_parameters(query)) {
    std::optional<std::uint32_t>* number = nullptr;
    if (parameter.name == "x") number = &x;
    if (parameter.name == "y") number = &y;
    if (parameter.name == "width") number = &width;
    if (parameter.name == "height") number = &height;
    if (number != nullptr) {
      *number = number_of<std::uint32_t>(parameter.value);
      if (!*number) return std::unexpected(parameter.name + " must be a whole number");
    } else if (parameter.name == "at") {
      wanted.at_ms = number_of<std::int64_t>(parameter.value);
      if (!wanted.at_ms || *wanted.at_ms < 0) {
        return std::unexpected("at must be a time in milliseconds since 1970-01-01 UTC");
      }
    }
  }
  wanted.area.x = x.value_or(0);
  wanted.area.y = y.value_or(0);
  wanted.area.width = width.value_or(spec.width - std::min(spec.width, wanted.area.x));
  wanted.area.height = height.value_or(spec.height - std::min(spec.height, wanted.area.y));
  if (const auto problem = picture_problem(spec, wanted.area)) return std::unexpected(*problem);
  return wanted;
}

// Answers a request that waits, on its loop; from any thread.
class Answering {
 public:
  Answering(const LoopRooms& loop, const session::HttpConnection& connection)
      : answers_(loop.answers()), table_(&connection.table()), id_(connection.id()) {}

  void operator()(HttpResponse answer) const {
    answers_->post([table = table_, id = id_, answer = std::move(answer)] {
      if (session::HttpConnection* const there = table->find_http(id)) there->respond(answer);
    });
  }

 private:
  std::shared_ptr<LoopAnswers> answers_;
  session::SessionTable* table_;  // lives until the answers are closed
  session::SessionId id_;
};

HttpResponse picture_answer(std::string png, std::string caching) {
  return {.content_type = "image/png",
          .body = std::move(png),
          .headers = {{.name = "Cache-Control", .value = std::move(caching)}}};
}

// Who pays for a picture: the name of access control, otherwise the address.
std::string payer_for(const session::HttpConnection& connection, const Permit* permit) {
  std::string name = permit == nullptr ? "" : permit->identity();
  if (!name.empty()) return "a:" + name;
  return access::payer_of(access::IpAddress::of_peer(connection.peer()));
}

// `work`: everything but done().
void answer_past(PastPictures& pictures, const std::shared_ptr<RoomThread>& its_room, PastPicture work,
                 const std::string& caching, const Answering& answer) {
  RoomThread& room = *its_room;
  if (room.storage() == nullptr) return answer(text_answer(404, "this room keeps no log"));
  const std::int64_t from_ms = room.storage()->metrics().past_from_ms;
  if (work.at_ms < from_ms) {
    return answer(text_answer(404, "the log does not go back to " + std::to_string(work.at_ms) + ", but to " +
                                       std::to_string(from_ms)));
  }
  work.done = [caching, answer, of = std::weak_ptr(its_room)](PastLog::Result<std::string> png) {
    if (!png) return answer(no_picture(of, png.error()));
    answer(picture_answer(*std::move(png), caching));
  };
  const auto asked = pictures.ask(*room.storage(), room.spec(), std::move(work));
  if (asked == PastPictures::Asked::accepted) return;
  answer(busy_answer(asked == PastPictures::Asked::payer_has_too_many));
}

std::string json_number_or_null(std::int64_t value) {
  return value == 0 ? "null" : std::to_string(value);
}

std::string info_text(RoomThread& room) {
  const canvas::RoomSpec& spec = room.spec();
  const RoomMetrics& metrics = room.metrics();
  // Of a log that was cut, the part before is no past.
  const std::int64_t past_from_ms = room.storage() == nullptr ? 0 : room.storage()->metrics().past_from_ms;
  const std::int64_t first_ms = std::max<std::int64_t>(metrics.first_ms, past_from_ms);
  std::string palette = "null";
  if (spec.has_palette()) {
    palette.clear();
    for (const std::uint32_t colour : spec.palette) {
      palette += (palette.empty() ? "[\"" : ",\"") + canvas::colour_text(colour) + "\"";
    }
    palette += "]";
  }
  return R"({"width":)" + std::to_string(spec.width) + R"(,"height":)" + std::to_string(spec.height) +
         R"(,"background":")" + canvas::colour_text(spec.background) + R"(","palette":)" + palette +
         R"(,"users":)" + std::to_string(metrics.users) + R"(,"pixels":)" + std::to_string(metrics.pixels) +
         R"(,"first_ms":)" + json_number_or_null(first_ms) + R"(,"last_ms":)" +
         json_number_or_null(metrics.last_ms) + R"(,"past_is_complete":)" +
         (past_from_ms == 0 ? "true}\n" : "false}\n");
}

}  // namespace

server::Offer WebSocketMount::offer(const server::PathPattern::Match& /*match*/) const {
  return {.methods = "GET", .has_websocket = true};
}

void WebSocketMount::on_request(session::HttpConnection& session, const server::Target& target) {
  if (const auto entrance = enter(context_, session, target); !entrance) {
    return session.respond(entrance.error());
  }
  HttpResponse answer = session::response_of(ws::refuse_upgrade(ws::Rule::handshake_upgrade_missing));
  answer.body = "upgrade required\n";
  session.respond(answer);
}

session::UpgradeDecision WebSocketMount::on_upgrade(session::HttpConnection& session,
                                                    const server::Target& target) {
  auto entrance = enter(context_, session, target);
  if (!entrance) return std::move(entrance.error());
  auto visitor = visitor_of(target.request.query);
  if (!visitor) return text_answer(400, visitor.error());
  const std::string peer = session.peer();
  visitor->payer = access::payer_of(access::IpAddress::of_peer(peer));
  if (entrance->permit != nullptr) {
    // A name of access control counts more than what the client says.
    const std::string identity = entrance->permit->identity();
    if (!identity.empty()) visitor->identity = "a:" + identity;
  }
  return session::Acceptance{.endpoint = context_.loop.get(),
                             .policy = &policy_,
                             .data = std::make_unique<Visit>(std::move(entrance->room), *std::move(visitor),
                                                             std::move(entrance->permit))};
}

server::Offer ImageMount::offer(const server::PathPattern::Match& /*match*/) const {
  return {.methods = "GET"};
}

void ImageMount::on_request(session::HttpConnection& session, const server::Target& target) {
  auto entrance = enter(context_, session, target);
  if (!entrance) return session.respond(entrance.error());
  if (const auto refused = quota_answer(entrance->permit.get())) return session.respond(*refused);
  RoomThread& room = *entrance->room;
  const auto wanted = wanted_picture(room.spec(), target.request.query);
  if (!wanted) return session.respond(text_answer(400, wanted.error()));
  const Answering answer(*context_.loop, session);
  // What some may not see is not for caches that all share.
  const std::string whose = context_.make_permit ? "private" : "public";
  const std::string payer = payer_for(session, entrance->permit.get());
  if (wanted->at_ms && room.is_past(*wanted->at_ms)) {
    return answer_past(
        context_.loop->rooms().past_pictures(), entrance->room,
        {.area = wanted->area,
         .at_ms = *wanted->at_ms,
         .payer = payer,
         .abandonment = session.abandonment(),
         .done = {}},
        whose + (room.is_settled(*wanted->at_ms) ? ", max-age=31536000, immutable" : ", max-age=1"), answer);
  }
  const auto asked = context_.loop->rooms().painter().paint(
      room, {.area = wanted->area,
             .payer = payer,
             .abandonment = session.abandonment(),
             .done = [answer, whose,
                      of = std::weak_ptr(entrance->room)](const std::shared_ptr<const std::string>& png) {
               if (png == nullptr) return answer(no_picture(of, std::string(kPastUnwanted)));
               answer(picture_answer(*png, whose + ", max-age=1"));
             }});
  if (asked == Painter::Asked::accepted) return;
  session.respond(busy_answer(asked == Painter::Asked::payer_has_too_many));
}

server::Offer InfoMount::offer(const server::PathPattern::Match& /*match*/) const {
  return {.methods = "GET"};
}

void InfoMount::on_request(session::HttpConnection& session, const server::Target& target) {
  auto entrance = enter(context_, session, target);
  if (!entrance) return session.respond(entrance.error());
  if (const auto refused = quota_answer(entrance->permit.get())) return session.respond(*refused);
  RoomThread& room = *entrance->room;
  session.respond({.content_type = "application/json",
                   .body = info_text(room),
                   .headers = {{.name = "Cache-Control", .value = "no-store"}}});
}

std::vector<std::string> canvas_subprotocols(std::vector<std::string> others) {
  others.insert(others.begin(), std::string(kSubprotocol));
  return others;
}

}  // namespace fanfare::canvasserver
