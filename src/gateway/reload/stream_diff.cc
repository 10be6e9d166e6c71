#include "gateway/reload/stream_diff.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/reload/shown_value.h"
#include "gateway/reload/upstream_diff.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kBeginsAnew = " (its subscriptions end, and it begins anew)";

// As in the configuration.
std::string name_of_policy(const TopicPolicy& policy) {
  static constexpr std::array<std::string_view, 3> kNames{"close", "dropOldest", "keepLatest"};
  return std::string(kNames[static_cast<std::size_t>(policy.when_full)]);
}

class StreamDiffer {
 public:
  StreamDiffer(const ServePlan& running, const ServePlan& wanted, std::vector<PlanChange>& changes)
      : running_(running),
        wanted_(wanted),
        from_(running.streams.value_or(StreamsPlan{})),
        to_(wanted.streams.value_or(StreamsPlan{})),
        changes_(changes) {}

  void compare() {
    const std::size_t before = changes_.size();
    // Of a plan that comes or goes as a whole they say nothing.
    if (running_.streams && wanted_.streams) compare_limits(from_.limits, to_.limits);
    add_changes_of_nodes("streams.upstreams ", from_.upstreams, to_.upstreams, changes_);
    const auto find_in = [](const std::vector<StreamPlan>& streams, const StreamPlan& one) {
      return std::ranges::find(streams, one.spec.name,
                               [](const StreamPlan& other) { return other.spec.name; });
    };
    for (const StreamPlan& stream : from_.streams) {
      const auto found = find_in(to_.streams, stream);
      if (found == to_.streams.end()) {
        add(PlanChange::Kind::removed, "stream " + stream.spec.name);
      } else {
        compare_stream(stream, *found);
      }
    }
    for (const StreamPlan& stream : to_.streams) {
      if (find_in(from_.streams, stream) != from_.streams.end()) continue;
      add(PlanChange::Kind::added, "stream " + stream.spec.name);
    }
    if (running_.streams.has_value() != wanted_.streams.has_value() && changes_.size() == before) {
      add(wanted_.streams ? PlanChange::Kind::added : PlanChange::Kind::removed,
          "streams without definitions");
    }
  }

 private:
  void add(PlanChange::Kind kind, std::string text) {
    changes_.push_back({.kind = kind, .text = std::move(text)});
  }
  template <typename Value>
  void tell(const std::string& name, const Value& present, const Value& wanted,
            std::string_view consequence = {}) {
    if (present == wanted) return;
    add(PlanChange::Kind::changed, arrow(name, present, wanted) + std::string(consequence));
  }
  // Of which only is told that it differs.
  void tell_part(std::string name, bool is_same) {
    if (!is_same) add(PlanChange::Kind::changed, std::move(name));
  }

  // The interval of pings and slowTimeout are those of server.websocket.
  void compare_limits(const streams::Limits& from, const streams::Limits& to) {
    const auto name = [](std::string_view key) { return "streams.limits." + std::string(key); };
    tell(name("connectionsMax"), from.connections_max, to.connections_max);
    tell(name("subscriptionsPerConnectionMax"), from.subscriptions_per_connection_max,
         to.subscriptions_per_connection_max);
    tell(name("messageBytesMax"), from.message_bytes_max, to.message_bytes_max);
    tell(name("messagesPerSecond"), from.messages_per_second, to.messages_per_second);
    tell(name("historyAnswerBytesMax"), from.history_answer_bytes_max, to.history_answer_bytes_max);
    tell(name("outboxBytesMax"), from.outbox_bytes_max, to.outbox_bytes_max);
    tell(name("reconnectMin"), from.reconnect_min, to.reconnect_min);
    tell(name("reconnectMax"), from.reconnect_max, to.reconnect_max);
    tell(name("heartbeat"), from.heartbeat, to.heartbeat);
  }

  void compare_stream(const StreamPlan& from, const StreamPlan& to) {
    const std::string name = "stream " + from.spec.name + " ";
    const streams::StreamSpec& present = from.spec;
    const streams::StreamSpec& wanted = to.spec;
    tell(name + "interval", present.interval, wanted.interval);
    tell(name + "source", source_of(running_, from), source_of(wanted_, to));
    tell_part(name + "calls", present.calls == wanted.calls);
    tell_part(name + "fields", present.fields == wanted.fields);
    tell(name + "onChange", present.on_change, wanted.on_change);
    tell_part(name + "newOnly", present.new_only == wanted.new_only);
    tell(name + "history", present.history_messages, wanted.history_messages, kBeginsAnew);
    tell(name + "historyBytes", present.history_bytes, wanted.history_bytes, kBeginsAnew);
    tell(name + "slowReaders", name_of_policy(present.slow_readers), name_of_policy(wanted.slow_readers),
         kBeginsAnew);
    tell(name + "relay", from.relayed, to.relayed, kBeginsAnew);
  }

  static std::string source_of(const ServePlan& plan, const StreamPlan& stream) {
    if (stream.source == StreamPlan::Source::upstream) {
      return "upstream " + plan.streams->upstreams[stream.index].id;
    }
    return "network " + name_of_network(plan.networks[stream.index]);
  }

  const ServePlan& running_;
  const ServePlan& wanted_;
  const StreamsPlan from_;
  const StreamsPlan to_;
  std::vector<PlanChange>& changes_;
};

}  // namespace

bool keeps_events(const StreamPlan& from, const StreamPlan& to) {
  const streams::StreamSpec& present = from.spec;
  const streams::StreamSpec& wanted = to.spec;
  return from.relayed == to.relayed && present.history_messages == wanted.history_messages &&
         present.history_bytes == wanted.history_bytes &&
         name_of_policy(present.slow_readers) == name_of_policy(wanted.slow_readers);
}

void add_changes_of_streams(const ServePlan& running, const ServePlan& wanted,
                            std::vector<PlanChange>& changes) {
  StreamDiffer(running, wanted, changes).compare();
}

}  // namespace fanfare::gateway
