// Repeatedly opens, uses and closes many connections to an echo server:
//
//   soak_client URL CONNECTIONS ROUNDS [SERVER_PID]
//
// Every connection sends one text, awaits its echo, and closes with 1000 once all echoes have arrived. Two
// thirds of the texts are long enough to be compressed. After each round one line shows the memory and
// descriptors of this process and of the server: "round 3: client 61204 KiB 9 fds, server 80412 KiB 11 fds".
// Exit status 1 if an echo differed or did not arrive.

#include <sys/types.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "session/client.h"

namespace {

using namespace fanfare;

struct Tally {
  std::size_t opened = 0;
  std::size_t echoed = 0;
  std::size_t closed = 0;
  std::size_t wrong = 0;
};

class Visitor final : public session::ClientHandler {
 public:
  Visitor(session::ClientLoop& clients, const session::ClientOptions& options, Tally& tally,
          std::size_t number)
      : tally_(tally), text_(text_of(number)), client_(clients, options, *this) {
    client_.connect();
  }
  void leave() { client_.close(); }

 private:
  static std::string text_of(std::size_t number) {
    std::string text = "visitor " + std::to_string(number);
    if (number % 3 > 0) {
      for (std::size_t i = 0; i < 20 * (number % 3); ++i) text += " says the same again,";
    }
    return text;
  }

  void on_open(session::Client& client, const session::ClientOpened&) override {
    ++tally_.opened;
    client.send_text(text_);
  }
  void on_message(session::Client&, const session::Message& message) override {
    ++tally_.echoed;
    if (as_text(message.payload) != text_) ++tally_.wrong;
  }
  void on_close(session::Client&, const session::CloseInfo& info, std::optional<Duration>) override {
    ++tally_.closed;
    if (info.code != 1000)
      complain("closed with " + std::to_string(info.code) + ", " + std::string(name_of(info.cause)));
  }
  void on_failed(session::Client&, const session::ClientError& error, std::optional<Duration>) override {
    ++tally_.closed;
    complain(error.text);
  }
  void complain(const std::string& text) {
    if (++tally_.wrong <= 10) std::fprintf(stderr, "soak_client: %s\n", text.c_str());
  }

  Tally& tally_;
  const std::string text_;
  session::Client client_;
};

std::size_t fds_of(const std::string& process) {
  std::size_t fds = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + process + "/fd", ignored)) {
    fds += entry.path().empty() ? 0 : 1;
  }
  return fds;
}

// Formats as "61204 KiB 9 fds".
std::string held_by(const std::string& process) {
  std::ifstream status("/proc/" + process + "/status");
  std::string word;
  std::string resident = "?";
  while (status >> word) {
    if (word == "VmRSS:") status >> resident;
  }
  return resident + " KiB " + std::to_string(fds_of(process)) + " fds";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: soak_client URL CONNECTIONS ROUNDS [SERVER_PID]\n");
    return 2;
  }
  const std::size_t connections = std::strtoull(argv[2], nullptr, 10);
  const std::size_t rounds = std::strtoull(argv[3], nullptr, 10);
  const std::string server = argc > 4 ? argv[4] : "self";
  session::ClientOptions options{.url = argv[1]};
  options.reconnect.enabled = false;
  // Thousands connect at once to a server that may be slow; the time is not tested.
  options.connect_timeout = options.handshake_timeout = std::chrono::minutes(5);
  options.session.close_timeout = std::chrono::minutes(5);
  options.session.ping_interval = Duration::zero();

  auto loop = net::Loop::create();
  if (!loop) return 1;
  Tally tally;
  const std::size_t server_fds = fds_of(server);
  {
    session::ClientLoop clients(**loop);
    for (std::size_t round = 1; round <= rounds && tally.wrong == 0; ++round) {
      tally = {};
      std::vector<std::unique_ptr<Visitor>> visitors;
      for (std::size_t i = 0; i < connections; ++i) {
        visitors.push_back(std::make_unique<Visitor>(clients, options, tally, i));
        if (i % 256 == 255) (*loop)->run_once(Duration::zero());
      }
      while (tally.echoed + tally.closed < connections) (*loop)->run_once(std::chrono::seconds(1));
      for (const auto& visitor : visitors) visitor->leave();
      while (tally.closed < connections) (*loop)->run_once(std::chrono::seconds(1));
      visitors.clear();
      // Sockets are closed after the server's FIN.
      while ((*loop)->stream_count() > 0) (*loop)->run_once(std::chrono::seconds(1));
      // The server notices a little later; if it never does, the line shows that.
      const Instant patience = system_clock().now() + std::chrono::minutes(1);
      while (server != "self" && fds_of(server) > server_fds && system_clock().now() < patience) {
        (*loop)->run_once(std::chrono::milliseconds(20));
      }
      if (tally.echoed != connections) tally.wrong += connections - tally.echoed;
      std::printf("round %zu: client %s, server %s\n", round, held_by("self").c_str(),
                  held_by(server).c_str());
      std::fflush(stdout);
    }
  }
  return tally.wrong == 0 ? 0 : 1;
}
