#include "streams/messages.h"

#include <array>
#include <charconv>

#include "base/check.h"
#include "streams/json.h"

namespace fanfare::streams {
namespace {

template <typename Number>
void append_number(std::string& out, std::string_view member, Number number) {
  out += member;
  out += std::to_string(number);
}

// `member` ends with the colon.
void append_text(std::string& out, std::string_view member, std::string_view text) {
  out += member;
  append_json_string(out, text);
}

void append_position(std::string& out, std::string_view member, Position position) {
  out += member;
  append_number(out, "{\"epoch\":", position.epoch);
  append_number(out, ",\"offset\":", position.offset);
  out += '}';
}

void append_missed(std::string& out, const Missed& missed) {
  append_position(out, ",\"missing\":{\"after\":", missed.after);
  append_position(out, ",\"until\":", missed.until);
  if (missed.is_counted()) append_number(out, ",\"count\":", missed.count());
  out += '}';
}

void append_id(std::string& out, std::string_view id) {
  if (id.empty()) return;
  out += ",\"id\":";
  out += id;
}

void append_checksum(std::string& out, std::uint32_t checksum) {
  std::array<char, 8> digits{};
  digits.fill('0');
  std::array<char, 8> written{};
  const auto end = std::to_chars(written.data(), written.data() + written.size(), checksum, 16).ptr;
  const auto count = static_cast<std::size_t>(end - written.data());
  out += ",\"checksum\":\"";
  out.append(digits.data(), digits.size() - count);
  out.append(written.data(), count);
  out += '"';
}

void append_names(std::string& out, std::span<const std::string> names) {
  out += '[';
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, names[i]);
  }
  out += ']';
}

std::int64_t milliseconds_of(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::string notice_of(std::string_view stream, const Record& record, bool with_offset) {
  std::string out = "{\"type\":\"notice\"";
  append_text(out, ",\"stream\":", stream);
  switch (record.kind) {
    case Record::Kind::value:
      break;
    case Record::Kind::interrupted:
      append_text(out, ",\"state\":\"interrupted\",\"reason\":", record.data);
      break;
    case Record::Kind::restored:
      out += ",\"state\":\"restored\"";
      break;
    case Record::Kind::paused:
      out += ",\"state\":\"paused\",\"from\":";
      out += record.data;
      break;
  }
  append_number(out, ",\"timestamp\":", record.seconds);
  if (with_offset) append_number(out, ",\"offset\":", record.position.offset);
  out += '}';
  return out;
}

}  // namespace

std::string message_of(std::string_view stream, const Record& record, Form form) {
  const bool with_offset = form != Form::plain;
  if (!record.is_value()) return notice_of(stream, record, with_offset);
  const bool is_patch = form == Form::patched;
  FANFARE_CHECK(!is_patch || record.base != 0);
  const std::string_view content = is_patch ? record.patch : record.data;
  std::string out;
  out.reserve(content.size() + stream.size() + 96);
  append_text(out, "{\"type\":", stream);
  out += is_patch ? ",\"patch\":" : ",\"data\":";
  out += content;
  append_number(out, ",\"timestamp\":", record.seconds);
  if (with_offset) append_number(out, ",\"offset\":", record.position.offset);
  const bool is_checked = form == Form::checked || is_patch;
  if (is_checked && record.position.offset % kChecksumEvery == 0) append_checksum(out, record.checksum);
  out += '}';
  return out;
}

std::string welcome_message(std::span<const std::string> streams, std::int64_t seconds) {
  std::string out = R"({"type":"welcome","message":"Fanfare streams","available_streams":)";
  append_names(out, streams);
  append_number(out, ",\"timestamp\":", seconds);
  out += '}';
  return out;
}

std::string subscribed_message(std::string_view stream, const Subscribed& subscribed) {
  std::string out = "{\"type\":\"subscribed\"";
  append_text(out, ",\"stream\":", stream);
  append_id(out, subscribed.id);
  if (subscribed.position) append_position(out, ",\"position\":", *subscribed.position);
  if (subscribed.recovered) out += *subscribed.recovered ? ",\"recovered\":true" : ",\"recovered\":false";
  if (subscribed.missing) append_missed(out, *subscribed.missing);
  if (subscribed.history) {
    out += ",\"history\":[";
    for (std::size_t i = 0; i < subscribed.history->size(); ++i) {
      const Record& record = (*subscribed.history)[i];
      out += i > 0 ? ",{\"data\":" : "{\"data\":";
      out += record.data;
      append_number(out, ",\"timestamp\":", record.seconds);
      append_number(out, ",\"offset\":", record.position.offset);
      out += '}';
    }
    out += ']';
  }
  out += '}';
  return out;
}

std::string unsubscribed_message(std::string_view stream, std::string_view id, std::string_view reason) {
  std::string out = "{\"type\":\"unsubscribed\"";
  append_text(out, ",\"stream\":", stream);
  append_id(out, id);
  if (!reason.empty()) append_text(out, ",\"reason\":", reason);
  out += '}';
  return out;
}

std::string pong_message(std::string_view id) {
  std::string out = "{\"type\":\"pong\"";
  append_id(out, id);
  out += '}';
  return out;
}

std::string authenticated_message(std::string_view id, std::span<const std::string> streams) {
  std::string out = R"({"type":"authenticated","available_streams":)";
  append_names(out, streams);
  append_id(out, id);
  out += '}';
  return out;
}

std::string missed_message(std::string_view stream, const Missed& missed, std::int64_t seconds) {
  std::string out = "{\"type\":\"notice\"";
  append_text(out, ",\"stream\":", stream);
  out += ",\"state\":\"missed\"";
  append_missed(out, missed);
  append_number(out, ",\"timestamp\":", seconds);
  out += '}';
  return out;
}

std::string hello_message(std::string_view id, const Limits& limits, std::span<const StreamInfo> streams) {
  std::string out = "{\"type\":\"hello\"";
  append_id(out, id);
  append_number(out, ",\"reconnect\":{\"min_ms\":", milliseconds_of(limits.reconnect_min));
  append_number(out, ",\"max_ms\":", milliseconds_of(limits.reconnect_max));
  append_number(out, "},\"ping_interval_ms\":", milliseconds_of(limits.ping_interval));
  append_number(out, ",\"limits\":{\"subscriptions\":", limits.subscriptions_per_connection_max);
  append_number(out, ",\"message_bytes\":", limits.message_bytes_max);
  append_number(out, ",\"messages_per_second\":", limits.messages_per_second);
  out += "},\"streams\":[";
  for (std::size_t i = 0; i < streams.size(); ++i) {
    append_text(out, i > 0 ? ",{\"name\":" : "{\"name\":", streams[i].name);
    if (streams[i].interval_ms > 0) append_number(out, ",\"interval_ms\":", streams[i].interval_ms);
    if (streams[i].on_change) out += ",\"on_change\":true";
    append_number(out, ",\"history\":", streams[i].history);
    out += '}';
  }
  out += "]}";
  return out;
}

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_json:
      return "not_json";
    case ErrorCode::not_text:
      return "not_text";
    case ErrorCode::bad_message:
      return "bad_message";
    case ErrorCode::unknown_type:
      return "unknown_type";
    case ErrorCode::unknown_stream:
      return "unknown_stream";
    case ErrorCode::already_subscribed:
      return "already_subscribed";
    case ErrorCode::not_subscribed:
      return "not_subscribed";
    case ErrorCode::too_many_subscriptions:
      return "too_many_subscriptions";
    case ErrorCode::message_too_big:
      return "message_too_big";
    case ErrorCode::too_many_messages:
      return "too_many_messages";
    case ErrorCode::limit_reached:
      return "limit_reached";
    case ErrorCode::not_authenticated:
      return "not_authenticated";
  }
  return "bad_message";
}

std::string error_message(const ProtocolError& error, bool is_extended) {
  std::string out = "{\"type\":\"error\"";
  append_text(out, ",\"message\":", error.message);
  if (is_extended) {
    append_text(out, ",\"code\":", name_of(error.code));
    if (!error.stream.empty()) append_text(out, ",\"stream\":", error.stream);
    if (error.retry_after > Duration::zero()) {
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(error.retry_after);
      append_number(out, ",\"retry_after_ms\":", wait.count());
    }
  }
  append_id(out, error.id);
  out += '}';
  return out;
}

std::string event_id(Position position) {
  return std::to_string(position.epoch) + "-" + std::to_string(position.offset);
}

std::string sse_event(std::string_view id, std::string_view data) {
  std::string out;
  out.reserve(id.size() + data.size() + 16);
  if (!id.empty()) {
    out += "id: ";
    out += id;
    out += '\n';
  }
  out += "data: ";
  out += data;
  out += "\n\n";
  return out;
}

}  // namespace fanfare::streams
