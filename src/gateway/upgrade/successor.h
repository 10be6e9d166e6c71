#pragma once
// The process that is to take over, as seen by the one that started it. Nothing here waits longer than it says.

#include <sys/types.h>

#include <deque>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "gateway/upgrade/channel.h"
#include "gateway/upgrade/passed_sockets.h"
#include "gateway/upgrade/program.h"

namespace fanfare::gateway {

class Successor {
 public:
  // It gets `sockets`, whose descriptors stay open until look() has said that it is ready, and the names of the networks that
  // must be ready. The error is for the operator.
  static std::expected<Successor, std::string> start(const Program& program,
                                                     std::span<const PassedSocket> sockets,
                                                     const std::vector<std::string>& networks);
  Successor(Successor&& other) noexcept;
  Successor& operator=(Successor&&) = delete;
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;
  // Ends it, unless it has taken over.
  ~Successor();

  enum class State : std::uint8_t {
    starting,
    ready,
    ended,  // problem() says how
  };
  // Waits at most so long for something new, and 200 ms for the end of a process that has closed its channel. Copies what the process writes to standard error to ours.
  State look(Duration wait_max);
  // It is ready, and nobody accepts connections: it does from here on. False: it has ended, or did not answer in time.
  bool let_accept(Duration wait_max);
  // From here on it is on its own.
  void release();

  pid_t pid() const { return pid_; }
  // With the last line that it wrote.
  std::string problem(std::string_view what) const;
  const std::string& problem() const { return problem_; }

 private:
  Successor(pid_t pid, UpgradeChannel channel, net::Descriptor output)
      : pid_(pid), channel_(std::move(channel)), output_(std::move(output)) {}
  struct Unsent {
    std::string text;
    int fd = -1;
  };
  void pass();
  void copy_output();
  void note_end(int status);

  pid_t pid_;  // -1: moved from, ended, or released
  UpgradeChannel channel_;
  net::Descriptor output_;  // what it writes to standard error, until it has taken over
  std::string last_line_;
  std::string line_;  // not complete
  std::string problem_;
  std::deque<Unsent> unsent_;
  bool is_ready_ = false;
};

}  // namespace fanfare::gateway
