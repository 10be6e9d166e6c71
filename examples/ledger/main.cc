// A feed that survives kill -9: ledger FILE [PORT [SYNC]]. It numbers its own events, a hundred per second, and keeps the
// last hundred thousand in FILE. A client of /feed gets {"at":"EPOCH-OFFSET","event":NUMBER}; with ?since=EPOCH-OFFSET,
// everything after that position, also from before a restart. SYNC: each, interval (default) or none.

#include <fanfare/fanfare.h>
#include <fanfare/store.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "../port.h"

namespace {

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
  session.send(R"({"begins_after":")" + to_text(joined->position) + R"(","recovered":)" +
               (joined->recovered ? "true}" : "false}"));
}

int fail(const fanfare::Error& error) {
  std::fprintf(stderr, "ledger: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: ledger FILE [PORT [SYNC]]\n"), 2;
  const std::string sync = argc > 3 ? argv[3] : "interval";
  const auto store = fanfare::Store::open({.path = argv[1],
                                           .sync = sync == "each"   ? fanfare::StoreSync::each
                                                   : sync == "none" ? fanfare::StoreSync::none
                                                                    : fanfare::StoreSync::interval,
                                           // A slow disk shall delay this feed, and not cost it its history.
                                           .stall_max = std::chrono::minutes(1)});
  if (!store) return fail(store.error());
  fanfare::Server server({.port = port_argument(argc, argv, 2, 9001)});
  fanfare::Hub hub(server);
  hub.set_store(*store);
  const auto feed = hub.add_topic("feed", {.history = {.messages_max = 100},
                                           .stored = {.messages_max = 100'000, .bytes_max = 64 << 20},
                                           .encode = to_message});
  if (!feed) return fail(feed.error());

  server.websocket<Follower>(
      "/feed",
      {.upgrade = [](const fanfare::Request& request) -> fanfare::Expected<Follower, fanfare::Response> {
         return Follower{.since = fanfare::parse_position(request.query_parameter("since").value_or(""))};
       },
       .open = [&](fanfare::SessionWith<Follower>& session) { begin(session, *feed); },
       .missed = [](fanfare::SessionWith<Follower>& session, std::string_view,
                    const fanfare::Missed& missed) { session.send(range_of(missed)); }});
  if (const auto started = server.start(); !started) return fail(started.error());
  std::printf("ws://%s\n", server.addresses().front().c_str());
  std::fflush(stdout);

  const std::jthread source([&](const std::stop_token& stop) {
    // The wall clock goes on over restarts, so the numbers grow.
    const auto now = [] {
      const auto since = std::chrono::system_clock::now().time_since_epoch();
      return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
    };
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      feed->publish(std::to_string(now()));
    }
  });
  server.run();
}
