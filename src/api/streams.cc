#include "fanfare/streams.h"

#include <utility>

#include "api/misuse.h"
#include "api/server_impl.h"
#include "api/server_streams.h"
#include "api/settings.h"
#include "base/time.h"
#include "server/path_pattern.h"
#include "streams/json.h"

namespace fanfare {
namespace {

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(system_clock().wall_now().time_since_epoch())
      .count();
}

}  // namespace

void api::ServerImpl::add_streams(StreamsOptions options) {
  if (!lifecycle_.is_idle() || hub_ == nullptr || streams_ != nullptr) {
    end_for_misuse("fanfare::Streams", "a server has them once, made after its Hub and before start()");
  }
  const auto pattern = server::PathPattern::parse(options.path);
  if (!pattern) routes_.note_problem(pattern.error());
  streams_ = std::make_unique<ServerStreams>(hub_->hub, std::move(options), session_settings_,
                                             to_engine(options_.deflate));
}

StreamResult JsonStream::publish(std::string_view json) const {
  const auto impl = impl_.lock();
  if (stream_ == nullptr || impl == nullptr) return StreamResult::refused;
  const auto value = streams::parse_json(json);
  if (!value) return StreamResult::not_json;
  switch (stream_->publish(*value, seconds_now())) {
    case streams::Stream::Published::yes:
      return StreamResult::published;
    case streams::Stream::Published::too_long:
      return StreamResult::too_long;
    case streams::Stream::Published::refused:
      return StreamResult::refused;
  }
  return StreamResult::refused;
}

void JsonStream::interrupt(std::string_view reason) const {
  const auto impl = impl_.lock();
  if (stream_ == nullptr || impl == nullptr) return;
  // RFC6455§8.1: clients close a connection over bytes that are not UTF-8.
  const bool is_text = streams::parse_json(streams::json_string(reason)).has_value();
  stream_->interrupt(is_text ? reason : std::string_view(), seconds_now());
}

void JsonStream::restore() const {
  const auto impl = impl_.lock();
  if (stream_ != nullptr && impl != nullptr) stream_->restore_with_last(seconds_now());
}

std::size_t JsonStream::subscribers() const {
  return stream_ == nullptr ? 0 : stream_->watchers();
}

Streams::Streams(Server& server, StreamsOptions options) : impl_(server.impl_) {
  impl_->add_streams(std::move(options));
}

Expected<JsonStream, Error> Streams::add(std::string name, StreamOptions options) const {
  auto added = impl_->streams()->catalog.add({.name = std::move(name),
                                              .interval_ms = options.interval.count(),
                                              .history_messages = options.history_messages,
                                              .history_bytes = options.history_bytes,
                                              .slow_readers = options.slow_readers});
  if (!added) return Unexpected(Error{.kind = Error::Kind::bad_option, .message = std::move(added.error())});
  JsonStream stream;
  stream.stream_ = *std::move(added);
  stream.impl_ = impl_;
  return stream;
}

bool Streams::remove(std::string_view name) const {
  return impl_->streams()->catalog.remove(std::string(name));
}

}  // namespace fanfare
