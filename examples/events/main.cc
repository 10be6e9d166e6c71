// Server-Sent Events, uploads of any size, a page from a directory, and a WebSocket whose clients are accepted
// by another thread.
//
//   examples/events [PORT] [DIRECTORY]         defaults: 9001, and no directory
//   curl -N http://127.0.0.1:9001/events       one line per second, until you stop it
//   curl -T FILE http://127.0.0.1:9001/upload  answers with the number of bytes, which are not stored
//   fanfare connect 'ws://127.0.0.1:9001/ws?token=secret'

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../port.h"
#include "fanfare/fanfare.h"

namespace {

// A thread for slow work; here it looks up tokens.
class Worker {
 public:
  Worker() : thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void push(fanfare::UniqueFunction<void()> task) {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
    came_.notify_one();
  }

 private:
  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (came_.wait(lock, stop, [this] { return !tasks_.empty(); })) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any came_;
  std::deque<fanfare::UniqueFunction<void()>> tasks_;
  std::jthread thread_;
};

// All listeners to the events. A closed body is removed at the next event.
class Feed {
 public:
  void add(fanfare::BodyWriter body) {
    const std::scoped_lock lock(mutex_);
    bodies_.push_back(std::move(body));
  }
  void tell(const std::string& event) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(bodies_, [&](fanfare::BodyWriter& body) {
      return body.write("data: " + event + "\n\n") == fanfare::SendResult::closed;
    });
  }

 private:
  std::mutex mutex_;
  std::vector<fanfare::BodyWriter> bodies_;
};

struct User {
  std::string name;
};

// One upload. The handler that waits for its next piece keeps it alive.
struct Upload : std::enable_shared_from_this<Upload> {
  Upload(fanfare::Responder to, fanfare::BodyReader from) : responder(std::move(to)), body(std::move(from)) {}

  // Takes one piece after the other. A program that needs time for a piece calls this again when it is done.
  void take_next() {
    body.read([self = shared_from_this()](const fanfare::BodyPiece& piece) {
      if (piece.failed) return;  // the client has left, or was answered: the upload is incomplete
      self->bytes += piece.bytes.size();
      if (!piece.last) return self->take_next();
      std::move(self->responder).send({.status = 201, .body = std::to_string(self->bytes) + " bytes\n"});
    });
  }

  fanfare::Responder responder;
  fanfare::BodyReader body;
  std::uint64_t bytes = 0;
};

}  // namespace

int main(int argc, char** argv) {
  fanfare::Server server({.port = port_argument(argc, argv, 1, 9001)});
  Feed feed;
  Worker worker;

  server.http("GET", "/events", [&](const fanfare::Request&, fanfare::Responder responder) {
    feed.add(std::move(responder).start(
        {.content_type = "text/event-stream", .headers = {{"Cache-Control", "no-store"}}}));
  });
  server.http("PUT", "/upload",
              [](const fanfare::Request&, fanfare::Responder responder, fanfare::BodyReader body) {
                std::make_shared<Upload>(std::move(responder), std::move(body))->take_next();
              },
              {.bytes_max = std::uint64_t{10} << 30});
  server.websocket<User>(
      "/ws",
      {.decide =
           [&](const fanfare::Request& request, fanfare::Upgrade<User> upgrade) {
             // The request is valid only during this call, so copy what is needed.
             worker.push([token = std::string(request.query_parameter("token").value_or("")),
                          upgrade = std::move(upgrade)]() mutable {
               if (token != "secret") {
                 return std::move(upgrade).refuse({.status = 401, .body = "the token is not known\n"});
               }
               std::move(upgrade).accept({.name = "friend"}, {.headers = {{"X-User", "friend"}}});
             });
           },
       .open = [](fanfare::SessionWith<User>& session) { session.send("hello, " + session.data().name); }});
  if (argc > 2) server.files("/", {.directory = argv[2]});

  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("http://%s/events\n", server.addresses().front().c_str());
  std::fflush(stdout);
  const std::jthread clock([&](const std::stop_token& stop) {
    for (int second = 0; !stop.stop_requested(); ++second) {
      feed.tell(std::to_string(second));
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  });
  server.run();
}
