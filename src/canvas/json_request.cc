#include "canvas/json_request.h"

#include <cmath>

#include "base/decimal.h"
#include "base/hex.h"
#include "base/text.h"
#include "canvas/limits.h"
#include "canvas/presence.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"

namespace fanfare::canvas {
namespace {

using jsonrpc::Kind;

constexpr std::uint64_t kTimeMaxMs = std::uint64_t{1}
                                     << 53U;  // the largest whole number of JavaScript, plus one
constexpr std::uint32_t kBanSecondsMax = 3650U * 24 * 3600;  // ten years
constexpr std::string_view kTypes =
    "pixel_update, cursor_move, watch, undo, users, ping, authenticate, who, undo_user, undo_area, rollback "
    "and ban";

std::optional<std::uint32_t> rgb_of(std::string_view text) {
  if (text.size() != 7 || text[0] != '#') return std::nullopt;
  std::uint32_t rgb = 0;
  for (const char c : text.substr(1)) {
    const int digit = hex_digit(c);
    if (digit < 0) return std::nullopt;
    rgb = (rgb << 4U) | static_cast<std::uint32_t>(digit);
  }
  return rgb;
}

// Reads the fields of one message and remembers the first problem. After a problem, the values that the
// functions return are not used.
class Reader {
 public:
  Reader(std::string_view raw, const RoomSpec& spec) : raw_(raw), spec_(spec) {}

  std::expected<JsonRequest, ProtocolError> read() {
    JsonRequest request;
    request.id = read_id();
    if (!problem_) read_action(request);
    if (!problem_) return request;
    problem_->id = std::move(request.id);
    return std::unexpected(*std::move(problem_));
  }

 private:
  std::optional<std::string_view> field(std::string_view name) const { return jsonrpc::member(raw_, name); }

  void fail(std::string_view name, std::string_view must) {
    if (problem_) return;
    problem_ = ProtocolError{.code = ErrorCode::bad_message,
                             .message = joined({"\"", name, "\" must be ", must}),
                             .field = std::string(name)};
  }

  // `limit`: raw JSON; empty: none.
  void fail_range(std::string_view name, std::string_view value, std::string_view must, std::string limit) {
    if (problem_) return;
    problem_ =
        ProtocolError{.code = ErrorCode::out_of_range,
                      .message = joined({"\"", name, "\" must be ", must}),
                      .field = std::string(name),
                      .value = value.size() <= kErrorValueBytesMax ? std::string(value) : std::string(),
                      .limit = std::move(limit)};
  }

  std::string read_id() {
    const auto id = field("id");
    if (!id) return {};
    const Kind kind = jsonrpc::kind_of(*id);
    const auto text = jsonrpc::string_copy(*id);
    const bool is_text = kind == Kind::string && text && text->size() <= kIdBytesMax;
    const bool is_integer = kind == Kind::number && id->find_first_of(".eE") == std::string_view::npos &&
                            id->size() <= kIdBytesMax;
    if (!is_text && !is_integer) fail("id", "an integer or a string of at most 64 bytes");
    return problem_ ? std::string() : std::string(*id);
  }

  // A whole number from `min` to `max`, which may be written with a fraction or an exponent.
  std::uint64_t whole(std::string_view name, std::uint64_t max, std::uint64_t min = 0) {
    const auto raw = field(name);
    if (!raw || jsonrpc::kind_of(*raw) != Kind::number) {
      fail(name, "a number");
      return 0;
    }
    const double value = double_of(*raw);
    if (value != std::floor(value) || value < static_cast<double>(min) || value > static_cast<double>(max)) {
      std::string limit = std::to_string(max);
      const std::string must = joined({"a whole number from ", std::to_string(min), " to ", limit});
      fail_range(name, *raw, must, std::move(limit));
      return 0;
    }
    return static_cast<std::uint64_t>(value);
  }

  std::uint16_t coordinate(std::string_view name, std::uint32_t side) {
    return static_cast<std::uint16_t>(whole(name, side - 1));
  }

  CursorMessage::Position place() {
    return {.x = coordinate("x", spec_.width), .y = coordinate("y", spec_.height)};
  }

  Colour colour() {
    const auto raw = field("color");
    const Kind kind = raw ? jsonrpc::kind_of(*raw) : Kind::none;
    if (kind == Kind::number) return static_cast<Colour>(whole("color", spec_.colour_end() - 1));
    const auto text = kind == Kind::string ? jsonrpc::string_copy(*raw) : std::nullopt;
    const auto rgb = text ? rgb_of(*text) : std::nullopt;
    if (!rgb) {
      fail("color", "\"#rrggbb\" or a number");
      return 0;
    }
    const auto colour = spec_.colour_of(*rgb);
    if (!colour) fail_range("color", *raw, "a colour of the palette", {});
    return colour.value_or(0);
  }

  Area area() {
    Area area{.x = coordinate("x", spec_.width), .y = coordinate("y", spec_.height)};
    if (problem_) return area;
    area.width = size("width", spec_.width - area.x);
    area.height = size("height", spec_.height - area.y);
    return area;
  }

  std::uint32_t size(std::string_view name, std::uint32_t max) {
    return static_cast<std::uint32_t>(whole(name, max, 1));
  }

  std::int64_t time(std::string_view name, bool is_optional) {
    if (is_optional && !field(name)) return 0;
    return static_cast<std::int64_t>(whole(name, kTimeMaxMs - 1));
  }

  UserNumber user(std::string_view name) {
    const auto raw = field(name);
    const auto text = raw ? jsonrpc::string_copy(*raw) : std::nullopt;
    if (!text) {
      fail(name, "a string");
      return 0;
    }
    const auto user = user_number_of(*text);
    if (!user) fail_range(name, *raw, "the id of a user, such as \"u17\"", {});
    return user.value_or(0);
  }

  std::string token() {
    const auto raw = field("token");
    auto text = raw ? jsonrpc::string_copy(*raw) : std::nullopt;
    if (!text) fail("token", "a string");
    return std::move(text).value_or(std::string());
  }

  std::uint32_t count() {
    if (!field("count")) return 1;
    return static_cast<std::uint32_t>(whole("count", kPixelsPerMessageMax, 1));
  }

  DrawRequest draw() {
    const CursorMessage::Position at = place();
    const Colour drawn = colour();
    const auto proof = field("proof");
    return {.pixel = {.x = at.x, .y = at.y, .colour = drawn}, .proof = std::string(proof.value_or(""))};
  }

  CursorRequest cursor() {
    if (!field("x") && !field("y")) return {};
    return {.position = place()};
  }

  RestoreRequest restore(ModerationEvent::Kind kind) {
    RestoreRequest request{.event = {.kind = kind}};
    switch (kind) {
      case ModerationEvent::Kind::undo_user:
        request.event.user = user("user_id");
        request.event.at_ms = time("since_ms", true);
        break;
      case ModerationEvent::Kind::undo_area:
        request.event.area = area();
        request.event.at_ms = time("since_ms", false);
        break;
      case ModerationEvent::Kind::rollback:
        request.event.at_ms = time("at_ms", false);
        break;
      case ModerationEvent::Kind::ban:
        break;
    }
    return request;
  }

  void read_action(JsonRequest& request) {
    const auto raw = field("type");
    const auto type = raw ? jsonrpc::string_copy(*raw) : std::nullopt;
    if (!type) return fail("type", "a string");
    if (*type == "pixel_update") {
      request.action = draw();
    } else if (*type == "cursor_move") {
      request.action = cursor();
    } else if (*type == "watch") {
      request.action = WatchRequest{.area = area()};
    } else if (*type == "undo") {
      request.action = UndoRequest{.count = count()};
    } else if (*type == "users") {
      request.action = UsersRequest{.after = field("after") ? user("after") : 0};
    } else if (*type == "ping") {
      request.action = PingRequest{};
    } else if (*type == "authenticate") {
      request.action = AuthenticateRequest{.token = token()};
    } else if (*type == "who") {
      request.action = WhoRequest{.place = place()};
    } else if (*type == "undo_user") {
      request.action = restore(ModerationEvent::Kind::undo_user);
    } else if (*type == "undo_area") {
      request.action = restore(ModerationEvent::Kind::undo_area);
    } else if (*type == "rollback") {
      request.action = restore(ModerationEvent::Kind::rollback);
    } else if (*type == "ban") {
      const UserNumber banned = user("user_id");
      request.action =
          BanRequest{.user = banned, .seconds = static_cast<std::uint32_t>(whole("seconds", kBanSecondsMax))};
    } else {
      problem_ = ProtocolError{.code = ErrorCode::unknown_type,
                               .message = joined({"unknown type: expected ", kTypes}),
                               .field = "type",
                               .value = raw->size() <= kErrorValueBytesMax ? std::string(*raw) : ""};
    }
  }

  std::string_view raw_;
  const RoomSpec& spec_;
  std::optional<ProtocolError> problem_;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

}  // namespace

std::expected<JsonRequest, ProtocolError> parse_json_request(std::string_view text, const RoomSpec& spec) {
  if (!jsonrpc::is_valid_json(text, kJsonDepthMax)) {
    return std::unexpected(ProtocolError{.code = ErrorCode::not_json,
                                         .message = "the message is not JSON, or nested more than 8 deep"});
  }
  const std::string_view raw = trimmed(text);
  if (jsonrpc::kind_of(raw) != Kind::object) {
    return std::unexpected(
        ProtocolError{.code = ErrorCode::bad_message, .message = "the message must be an object"});
  }
  return Reader(raw, spec).read();
}

}  // namespace fanfare::canvas
