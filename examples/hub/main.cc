// A feed that loses nothing: hub [PORT]. A thread publishes ten events per second; the last thousand are
// kept. A client that connects to /feed gets new events. With ?since=EPOCH-OFFSET, the position of the last
// event it has seen, it gets all later events. GET /metrics shows the topic.

#include <fanfare/fanfare.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "../port.h"

namespace {

// The parameters that the upgrade handler read from the request.
struct Follower {
  std::optional<fanfare::Position> since;
};

fanfare::Frame to_message(fanfare::Position position, std::string_view payload) {
  return fanfare::Frame::text(R"({"at":")" + fanfare::to_text(position) + R"(","event":)" +
                              std::string(payload) + "}");
}

std::string range_of(const fanfare::Missed& missed) {
  return R"({"missed_after":")" + to_text(missed.after) + R"(","until":")" + to_text(missed.until) + R"("})";
}

void begin(fanfare::SessionWith<Follower>& session, const fanfare::HubTopic& feed) {
  const auto joined = session.subscribe(feed, {.since = session.data().since});
  if (!joined) return session.close(1013, "try again later");
  // Always sent before the first event.
  session.send(R"({"begins_after":")" + to_text(joined->position) + R"("})");
  if (joined->missing) session.send(range_of(*joined->missing));
}

}  // namespace

int main(int argc, char** argv) {
  fanfare::Server server({.port = port_argument(argc, argv, 1, 9001)});
  fanfare::Hub hub(server);
  const auto feed = hub.add_topic(
      "feed", {.history = {.messages_max = 1000, .age_max = std::chrono::minutes(10)}, .encode = to_message});
  if (!feed) return std::fprintf(stderr, "hub: %s\n", feed.error().message.c_str()), 1;

  server.websocket<Follower>(
      "/feed",
      {.upgrade = [](const fanfare::Request& request) -> fanfare::Expected<Follower, fanfare::Response> {
         const auto since = request.query_parameter("since");
         if (!since) return Follower{};
         const auto position = fanfare::parse_position(*since);
         if (!position)
           return fanfare::Unexpected(fanfare::Response{.status = 400, .body = "since=EPOCH-OFFSET\n"});
         return Follower{.since = position};
       },
       .open = [&](fanfare::SessionWith<Follower>& session) { begin(session, *feed); },
       .missed = [](fanfare::SessionWith<Follower>& session, std::string_view,
                    const fanfare::Missed& missed) { session.send(range_of(missed)); }});
  server.http("GET", "/metrics", [&](const fanfare::Request&) -> fanfare::Response {
    const fanfare::TopicMetrics now = feed->metrics();
    return {.body = "published " + std::to_string(now.published) + "\nsubscribers " +
                    std::to_string(now.subscribers) + "\nhistory " + std::to_string(now.history_messages) +
                    "\n"};
  });
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "hub: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("ws://%s\n", server.addresses().front().c_str());
  std::fflush(stdout);

  const std::jthread source([&](const std::stop_token& stop) {
    int number = 0;
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      // If a limit refuses the event, the number is not used, and the next iteration retries it.
      if (feed->publish(std::to_string(number + 1)) == fanfare::PublishResult::accepted) ++number;
    }
  });
  server.run();
}
