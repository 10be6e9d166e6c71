// One instance of a program whose topic is relayed over NATS JetStream: peers_server BROKER_URL. ./dev bench --relay-peers compares two of
// them with other servers of the same kind. Prints "listening HOST:PORT".
//
//   /publish                 each message is published
//   /?after=EPOCH-OFFSET     the events, as "EPOCH-OFFSET PAYLOAD", from that position on or else from now on

#include <fanfare/fanfare.h>
#include <fanfare/nats.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "echo_program.h"

namespace {

using fanfare::bench::give_up;

// The same for all contestants.
constexpr std::size_t kHistoryMessages = 1000;

struct Follower {
  std::optional<fanfare::Position> since;
};

fanfare::Frame encode(fanfare::Position position, std::string_view payload) {
  std::string text = fanfare::to_text(position);
  text += ' ';
  text += payload;
  return fanfare::Frame::text(text);
}

fanfare::HubTopic relayed_topic(fanfare::Hub& hub, const std::string& broker) {
  auto relay = fanfare::make_nats_relay({.servers = {broker}, .name = "peers"});
  if (!relay) give_up(relay.error().message);
  hub.set_relay(*std::move(relay));
  auto topic = hub.add_topic(
      "events", {.history = {.messages_max = kHistoryMessages}, .relayed = true, .encode = encode});
  if (!topic) give_up(topic.error().message);
  return *topic;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) give_up("usage: peers_server BROKER_URL");
  fanfare::bench::raise_descriptor_limit();
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  fanfare::Server server({.port = 0, .threads = 1, .heartbeat = {.ping_interval = std::chrono::hours(1)}});
  fanfare::Hub hub(server);
  const fanfare::HubTopic topic = relayed_topic(hub, argv[1]);
  server.websocket("/publish", {.message = [&topic](fanfare::Session&, const fanfare::Message& message) {
                     topic.publish(message.text());
                   }});
  server.websocket<Follower>(
      "/", {.upgrade = [](const fanfare::Request& request) -> fanfare::Expected<Follower, fanfare::Response> {
              return Follower{fanfare::parse_position(request.query_parameter("after").value_or(""))};
            },
            .open =
                [&topic](fanfare::SessionWith<Follower>& session) {
                  if (!session.subscribe(topic, {.since = session.data().since})) session.close(1011);
                }});
  if (const auto started = server.start(); !started) give_up(started.error().message);
  std::printf("listening 127.0.0.1:%u\n", static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  int which = 0;
  sigwait(&ends, &which);
  server.stop();
}
