#include "streams/catalog.h"

#include <algorithm>
#include <mutex>

#include "base/text.h"
#include "streams/spec.h"

namespace fanfare::streams {

// Topics of the hub with other purposes have other names.
std::string topic_of(std::string_view stream) {
  return joined({"stream:", stream});
}

std::expected<std::shared_ptr<Stream>, std::string> Catalog::add(const StreamOptions& options) {
  if (!is_stream_name(options.name)) return std::unexpected(joined({"a stream's name has ", kNameExpected}));
  // With two messages the last value is always there: at most one notice follows it.
  if (options.history_messages < 2) return std::unexpected("a stream keeps at least 2 values");
  if (options.history_bytes < std::size_t{1} << 16U) return std::unexpected("a stream keeps at least 64 KiB");
  const HistoryLimits history{.messages_max = options.history_messages, .bytes_max = options.history_bytes};
  const auto shared = options.shared ? std::make_shared<SharedTopic>(options.new_only) : nullptr;
  auto topic = hub_.add(topic_of(options.name), Stream::topic_setup(history, options.slow_readers, shared));
  if (!topic) return std::unexpected(std::move(topic.error()));
  auto stream = std::make_shared<Stream>(hub_, *std::move(topic),
                                         StreamInfo{.name = options.name,
                                                    .interval_ms = options.interval_ms,
                                                    .on_change = options.on_change,
                                                    .history = options.history_messages},
                                         options.history_bytes / 8, shared);
  const std::unique_lock lock(mutex_);
  streams_.push_back(stream);
  return stream;
}

std::shared_ptr<Stream> Catalog::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found =
      std::ranges::find_if(streams_, [&](const auto& stream) { return stream->name() == name; });
  return found == streams_.end() ? nullptr : *found;
}

std::vector<std::shared_ptr<Stream>> Catalog::all() const {
  const std::shared_lock lock(mutex_);
  return streams_;
}

std::vector<std::string> Catalog::names() const {
  std::vector<std::string> names;
  for (const auto& stream : all()) names.push_back(stream->name());
  return names;
}

bool Catalog::remove(const std::string& name) {
  std::shared_ptr<Stream> removed;
  {
    const std::unique_lock lock(mutex_);
    const auto found =
        std::ranges::find_if(streams_, [&](const auto& stream) { return stream->name() == name; });
    if (found == streams_.end()) return false;
    removed = std::move(*found);
    streams_.erase(found);
  }
  return hub_.remove(*removed->topic());
}

bool Catalog::reserve_connection(Transport transport) {
  if (open_.fetch_add(1, std::memory_order_relaxed) >= limits().connections_max) {
    open_.fetch_sub(1, std::memory_order_relaxed);
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  connections_[static_cast<std::size_t>(transport)].fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Catalog::release_connection(Transport transport) {
  open_.fetch_sub(1, std::memory_order_relaxed);
  connections_[static_cast<std::size_t>(transport)].fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace fanfare::streams
