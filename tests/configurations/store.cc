// A program that keeps a topic on disk: store FILE. Its file has one event more after each run.

#include <fanfare/fanfare.h>
#include <fanfare/store.h>

#include <cstdio>
#include <future>

int main(int argc, char** argv) {
  const auto store = fanfare::Store::open({.path = argc > 1 ? argv[1] : ""});
  if (!store) return std::fprintf(stderr, "%s\n", store.error().message.c_str()), 1;
  fanfare::Server server({.port = 0});
  fanfare::Hub hub(server);
  hub.set_store(*store);
  const auto topic = hub.add_topic("t", {.stored = {.messages_max = 10}});
  if (!topic || !server.start()) return 1;
  const std::size_t before = topic->metrics().stored_messages;
  std::promise<bool> stored;
  topic->publish("event",
                 [&](std::optional<fanfare::Position> position) { stored.set_value(position.has_value()); });
  return stored.get_future().get() && topic->metrics().stored_messages == before + 1 ? 0 : 1;
}
