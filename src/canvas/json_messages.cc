#include "canvas/json_messages.h"

#include <algorithm>
#include <array>

#include "jsonrpc/response.h"

namespace fanfare::canvas {
namespace {

constexpr std::uint32_t kReconnectMinMs = 500;
constexpr std::uint32_t kReconnectMaxMs = 30'000;

// `member` ends with the colon.
template <typename Number>
void append_number(std::string& out, std::string_view member, Number number) {
  out += member;
  out += std::to_string(number);
}

void append_text(std::string& out, std::string_view member, std::string_view text) {
  out += member;
  jsonrpc::append_string(out, text);
}

void append_colour(std::string& out, std::string_view member, std::uint32_t rgb) {
  out += member;
  out += '"';
  out += colour_text(rgb);
  out += '"';
}

void append_user_id(std::string& out, std::string_view member, UserNumber user) {
  out += member;
  out += '"';
  out += user_id_of(user);
  out += '"';
}

// null: nobody has drawn it.
void append_author(std::string& out, std::string_view member, UserNumber user) {
  if (user != 0) return append_user_id(out, member, user);
  out += member;
  out += "null";
}

void append_raw(std::string& out, std::string_view member, std::string_view raw) {
  if (raw.empty()) return;
  out += member;
  out += raw;
}

void append_person(std::string& out, const Person& person) {
  append_user_id(out, "\"user_id\":", person.user);
  append_text(out, ",\"name\":", person.name);
  append_colour(out, ",\"color\":", person.colour);
}

std::int64_t milliseconds_of(Duration duration) {
  return std::chrono::ceil<std::chrono::milliseconds>(duration).count();
}

void append_limits(std::string& out, const Limits& limits) {
  const auto burst = [](const TokenRate& rate) { return rate.burst == 0 ? rate.per_second : rate.burst; };
  append_number(out, ",\"limits\":{\"pixels_per_second\":", limits.pixels_per_user.per_second);
  append_number(out, ",\"pixels_burst\":", burst(limits.pixels_per_user));
  append_number(out, ",\"address_pixels_per_second\":", limits.pixels_per_address.per_second);
  append_number(out, ",\"address_pixels_burst\":", burst(limits.pixels_per_address));
  append_number(out, ",\"chunks_per_minute\":", limits.chunks_per_minute_per_user);
  append_number(out, ",\"address_chunks_per_minute\":", limits.chunks_per_minute_per_address);
  append_number(out, ",\"cooldown_ms\":", milliseconds_of(limits.cooldown));
  append_number(out, ",\"cursors_per_second\":", limits.cursors_per_second);
  append_number(out, ",\"messages_per_second\":", limits.messages_per_second);
  append_number(out, ",\"message_bytes\":", limits.message_bytes_max);
  out += '}';
}

void append_people(std::string& out, std::string_view member, std::span<const Person> people) {
  out += member;
  out += '[';
  for (std::size_t i = 0; i < people.size(); ++i) {
    out += i == 0 ? "{" : ",{";
    append_person(out, people[i]);
    out += '}';
  }
  out += ']';
}

std::string start_of(std::string_view type, std::string_view id) {
  std::string out = "{\"type\":\"";
  out += type;
  out += '"';
  append_raw(out, ",\"id\":", id);
  return out;
}

}  // namespace

std::string colour_text(std::uint32_t rgb) {
  std::string text = "#000000";
  for (std::size_t i = 6; i > 0; --i, rgb >>= 4U) text[i] = "0123456789abcdef"[rgb & 15U];
  return text;
}

std::string welcome_message(const RoomSpec& spec, const Limits& limits, const Welcome& welcome,
                            const PresenceDelta& users) {
  std::string out = "{\"type\":\"welcome\"";
  append_text(out, ",\"user_id\":", welcome.user_id);
  append_text(out, ",\"room\":", spec.name);
  append_number(out, ",\"width\":", spec.width);
  append_number(out, ",\"height\":", spec.height);
  append_colour(out, ",\"background\":", spec.background);
  if (spec.has_palette()) {
    for (std::size_t i = 0; i < spec.palette.size(); ++i) {
      append_colour(out, i == 0 ? ",\"palette\":[" : ",", spec.palette[i]);
    }
    out += ']';
  }
  append_people(out, ",\"users\":", users.joined);
  append_number(out, ",\"users_total\":", users.total);
  out += ",\"may\":[";
  if (welcome.rights.draw) out += "\"draw\"";
  if (welcome.rights.draw && welcome.rights.moderate) out += ',';
  if (welcome.rights.moderate) out += "\"moderate\"";
  out += ']';
  append_limits(out, limits);
  append_number(out, ",\"reconnect\":{\"min_ms\":", kReconnectMinMs);
  append_number(out, ",\"max_ms\":", kReconnectMaxMs);
  append_number(out, "},\"timestamp\":", welcome.now_ms);
  out += '}';
  return out;
}

std::string pixel_changed_message(const RoomSpec& spec, ChunkId chunk, const TickPixel& pixel) {
  std::string out;
  out.reserve(96);
  append_number(out, "{\"type\":\"pixel_changed\",\"x\":", x_of(chunk, pixel.index));
  append_number(out, ",\"y\":", y_of(chunk, pixel.index));
  append_colour(out, ",\"color\":", spec.rgb_of(pixel.colour));
  append_author(out, ",\"user_id\":", pixel.user);
  out += '}';
  return out;
}

std::string cursor_message(const CursorMove& move) {
  std::string out = "{\"type\":\"cursor\"";
  append_user_id(out, ",\"user_id\":", move.user);
  if (!move.has_left) {
    append_number(out, ",\"x\":", move.x);
    append_number(out, ",\"y\":", move.y);
  }
  out += '}';
  return out;
}

std::string user_joined_message(const Person& person) {
  std::string out = "{\"type\":\"user_joined\",";
  append_person(out, person);
  out += '}';
  return out;
}

std::string user_left_message(UserNumber user) {
  std::string out = "{\"type\":\"user_left\"";
  append_user_id(out, ",\"user_id\":", user);
  out += '}';
  return out;
}

std::string users_message(std::string_view id, const UserPage& page) {
  std::string out = start_of("users", id);
  append_people(out, ",\"users\":", page.users);
  out += page.is_complete ? ",\"complete\":true}" : ",\"complete\":false}";
  return out;
}

std::string ok_message(std::string_view id, std::optional<std::uint64_t> count) {
  std::string out = start_of("ok", id);
  if (count) append_number(out, ",\"count\":", *count);
  out += '}';
  return out;
}

std::string pong_message(std::string_view id) {
  std::string out = start_of("pong", id);
  out += '}';
  return out;
}

std::string history_message(const RoomSpec& spec, std::string_view id, std::uint16_t x, std::uint16_t y,
                            std::span<const WhoEntry> entries) {
  std::string out = start_of("history", id);
  append_number(out, ",\"x\":", x);
  append_number(out, ",\"y\":", y);
  out += ",\"pixels\":[";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const PastPixel& pixel = entries[i].pixel;
    out += i == 0 ? "{" : ",{";
    append_author(out, "\"user_id\":", pixel.user);
    append_text(out, ",\"name\":", entries[i].name);
    append_colour(out, ",\"color\":", spec.rgb_of(pixel.colour));
    append_number(out, ",\"timestamp\":", pixel.time_ms);
    out += '}';
  }
  out += "]}";
  return out;
}

std::string error_message(const ProtocolError& error) {
  std::string out = start_of("error", error.id);
  append_text(out, ",\"code\":", name_of(error.code));
  append_text(out, ",\"message\":", error.message);
  if (!error.field.empty()) append_text(out, ",\"field\":", error.field);
  append_raw(out, ",\"value\":", error.value);
  append_raw(out, ",\"limit\":", error.limit);
  if (error.retry_after) append_number(out, ",\"retry_after_ms\":", error.retry_after->count());
  out += '}';
  return out;
}

}  // namespace fanfare::canvas
