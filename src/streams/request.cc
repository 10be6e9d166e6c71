#include "streams/request.h"

#include <array>

#include "base/text.h"
#include "jsonrpc/value.h"
#include "streams/json.h"
#include "streams/limits.h"

namespace fanfare::streams {
namespace {

constexpr std::uint64_t kNumberMax = std::uint64_t{1} << 53U;
constexpr std::string_view kTypes = "subscribe, unsubscribe, ping, hello and authenticate";

// Reads the fields of one message and remembers the first problem.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  std::expected<Request, ProtocolError> read() {
    read_id();
    read_type();
    const bool names_stream =
        request_.type == Request::Type::subscribe || request_.type == Request::Type::unsubscribe;
    if (!problem_ && names_stream) read_stream();
    if (!problem_ && request_.type == Request::Type::subscribe) read_options();
    if (!problem_ && request_.type == Request::Type::authenticate) read_token();
    if (!problem_) return std::move(request_);
    problem_->id = std::move(request_.id);
    problem_->stream = std::move(request_.stream);
    return std::unexpected(*std::move(problem_));
  }

 private:
  void fail(std::string message, ErrorCode code = ErrorCode::bad_message) {
    if (!problem_) problem_ = ProtocolError{.code = code, .message = std::move(message)};
  }

  void read_id() {
    const Json* const id = json_.find("id");
    if (id == nullptr) return;
    const bool is_text = id->is(Json::Kind::string);
    const bool is_integer = id->is(Json::Kind::number) && id->text.find_first_of(".eE") == std::string::npos;
    if ((!is_text && !is_integer) || id->text.size() > kIdBytesMax) {
      return fail("\"id\" must be an integer or a string of at most 64 bytes");
    }
    request_.id = id->write();
  }

  void read_type() {
    const Json* const type = json_.find("type");
    if (type == nullptr || !type->is(Json::Kind::string)) return fail("\"type\" must be a string");
    if (type->text == "subscribe") {
      request_.type = Request::Type::subscribe;
    } else if (type->text == "unsubscribe") {
      request_.type = Request::Type::unsubscribe;
    } else if (type->text == "ping") {
      request_.type = Request::Type::ping;
    } else if (type->text == "hello") {
      request_.type = Request::Type::hello;
    } else if (type->text == "authenticate") {
      request_.type = Request::Type::authenticate;
    } else {
      fail(joined({"unknown type: expected ", kTypes}), ErrorCode::unknown_type);
    }
  }

  void read_stream() {
    const Json* const stream = json_.find("stream");
    if (stream == nullptr || !stream->is(Json::Kind::string)) return fail("\"stream\" must be a string");
    request_.stream = stream->text;
  }

  void read_token() {
    const Json* const token = json_.find("token");
    if (token == nullptr || !token->is(Json::Kind::string)) return fail("\"token\" must be a string");
    request_.token = token->text;
  }

  void read_options() {
    if (const Json* const position = json_.find("position")) {
      if (!position->is(Json::Kind::boolean)) return fail("\"position\" must be true or false");
      request_.position = position->text == "true";
    }
    if (const Json* const delta = json_.find("delta")) {
      if (!delta->is(Json::Kind::string) || delta->text != "merge")
        return fail("\"delta\" must be \"merge\"");
      request_.delta = true;
    }
    if (const Json* const since = json_.find("since")) read_since(*since);
    if (const Json* const history = json_.find("history")) {
      const auto count = number(history, kHistoryAskedMax);
      if (!count) return fail("\"history\" must be an integer from 0 to 10000");
      request_.history = static_cast<std::size_t>(*count);
    }
    if (request_.since && request_.history) return fail("\"since\" and \"history\" cannot be combined");
    if (request_.since || request_.history || request_.delta) request_.position = true;
  }

  void read_since(const Json& since) {
    const auto epoch = number(since.find("epoch"), kNumberMax);
    const auto offset = number(since.find("offset"), kNumberMax);
    if (!epoch || !offset) return fail(R"("since" must be {"epoch":E,"offset":N} with two integers)");
    request_.since = Position{.epoch = *epoch, .offset = *offset};
  }

  static std::optional<std::uint64_t> number(const Json* json, std::uint64_t max) {
    if (json == nullptr || !json->is(Json::Kind::number)) return std::nullopt;
    const auto value = jsonrpc::uint_value(json->text);
    return value && *value <= max ? value : std::nullopt;
  }

  const Json& json_;
  Request request_;
  std::optional<ProtocolError> problem_;
};

}  // namespace

std::expected<Request, ProtocolError> parse_request(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) {
    return std::unexpected(ProtocolError{.code = ErrorCode::not_json, .message = "the message is not JSON"});
  }
  if (!json->is(Json::Kind::object)) {
    return std::unexpected(
        ProtocolError{.code = ErrorCode::bad_message, .message = "the message must be an object"});
  }
  return Reader(*json).read();
}

}  // namespace fanfare::streams
