// Sends each line of standard input as one message: courier URL TOKEN-FILE. The file is read before each attempt to
// connect, and its content is sent as "Authorization: Bearer TOKEN", so a token that was renewed meanwhile is used.
// Lines wait while the connection is away or slow. Ends when all have been sent.

#include <fanfare/fanfare.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <mutex>
#include <string>
#include <utility>

namespace {

constexpr std::size_t kBufferedMax = std::size_t{1} << 20;

// Lets the main thread wait for something that handlers report.
class Signal {
 public:
  void notify() {
    {
      const std::scoped_lock lock(mutex_);
    }
    changed_.notify_all();
  }
  // What is buffered shrinks without an event, so this also looks again by itself.
  template <typename Condition>
  void wait_until(Condition condition) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::milliseconds(50), condition)) {
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

void add_token(fanfare::ConnectAttempt attempt, const std::string& file) {
  std::string token;
  if (!std::getline(std::ifstream(file), token)) {
    return std::move(attempt).retry_later("there is no token in " + file);
  }
  attempt.target.headers.push_back({.name = "Authorization", .value = "Bearer " + token});
  std::move(attempt).connect();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: courier URL TOKEN-FILE\n");
    return 2;
  }
  const std::string token_file = argv[2];
  Signal signal;
  std::atomic<bool> has_ended = false;  // no further attempt will be made
  fanfare::Client client(
      {.url = argv[1]},
      {.before_connect = [&](fanfare::Client&,
                             fanfare::ConnectAttempt attempt) { add_token(std::move(attempt), token_file); },
       .open = [&](fanfare::Client&, const fanfare::Opened&) { signal.notify(); },
       .drain = [&](fanfare::Client&) { signal.notify(); },
       .close =
           [&](fanfare::Client&, const fanfare::Close& close, auto reconnect_in) {
             // Our answer to the server's Close frame counts, too.
             std::fprintf(stderr, "courier: the connection ended (%u), %zu bytes were waiting\n",
                          unsigned{close.code}, close.unsent_bytes);
             has_ended = !reconnect_in;
             signal.notify();
           },
       .failed =
           [&](fanfare::Client&, const fanfare::Error& error, auto reconnect_in) {
             std::fprintf(stderr, "courier: %s\n", error.message.c_str());
             has_ended = !reconnect_in;
             signal.notify();
           }});
  if (const auto started = client.start(); !started) {
    std::fprintf(stderr, "courier: %s\n", started.error().message.c_str());
    return 1;
  }
  const auto is_ready = [&] { return client.is_open() && client.buffered_amount() < kBufferedMax; };
  std::string line;
  while (!has_ended && std::getline(std::cin, line)) {
    do {
      signal.wait_until([&] { return has_ended || is_ready(); });
    } while (!has_ended && client.send(line) == fanfare::SendResult::closed);
  }
  const bool all_taken = !has_ended;
  client.close();  // after what was sent
  client.run();
  const auto unsent = static_cast<unsigned long long>(client.unsent_messages());
  if (all_taken && unsent == 0) return 0;
  std::fprintf(stderr, "courier: not everything was sent, %llu lines were lost\n", unsent);
  return 1;
}
