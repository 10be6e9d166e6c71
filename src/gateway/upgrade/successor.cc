#include "gateway/upgrade/successor.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace fanfare::gateway {
namespace {

// In the successor.
constexpr int kChannelFd = 3;
constexpr int kErrorFd = 4;
// Ours must not be among the numbers that they get there.
constexpr int kFirstFd = 10;
constexpr std::size_t kLineBytesMax = 1024;
// A millisecond each: how long a process may take to end that has closed its side of the channel.
constexpr int kLooksForEnd = 200;

std::expected<net::Descriptor, std::string> above(int fd) {
  net::Descriptor moved(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFd));
  if (!moved.valid()) return std::unexpected(net::last_error("fcntl").message());
  return moved;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// Destroyed after the call that used it.
class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void give(int fd, int as) { ::posix_spawn_file_actions_adddup2(&actions_, fd, as); }
  void close_from(int fd) { ::posix_spawn_file_actions_addclosefrom_np(&actions_, fd); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

std::expected<pid_t, std::string> spawn(const Program& program, int channel, int error, int output) {
  FileActions actions;
  actions.give(channel, kChannelFd);
  actions.give(error, kErrorFd);
  actions.give(output, STDERR_FILENO);
  actions.close_from(kErrorFd + 1);
  std::vector<std::string> environment = program.environment;
  environment.push_back(std::string(kUpgradeVariable) + "=1:" + std::to_string(kChannelFd) + ":" +
                        std::to_string(kErrorFd));
  pid_t pid = -1;
  // The blocked signals stay blocked: those that come while it starts wait until it handles them.
  const int failed = ::posix_spawnp(&pid, program.file.c_str(), actions.get(), nullptr,
                                    pointers(program.arguments).data(), pointers(environment).data());
  if (failed != 0) return std::unexpected("cannot start " + program.file + ": " + std::strerror(failed));
  return pid;
}

}  // namespace

std::expected<Successor, std::string> Successor::start(const Program& program,
                                                       std::span<const PassedSocket> sockets,
                                                       const std::vector<std::string>& networks) {
  auto sides = UpgradeChannel::make();
  if (!sides) return std::unexpected(sides.error().message());
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return std::unexpected(net::last_error("pipe2").message());
  net::Descriptor output(pipe[0]);
  const net::Descriptor input(pipe[1]);
  if (::fcntl(output.get(), F_SETFL, O_NONBLOCK) != 0)
    return std::unexpected(net::last_error("fcntl").message());
  const auto channel = above(sides->second.fd());
  const auto error = above(STDERR_FILENO);
  const auto written = above(input.get());
  for (const auto* const one : {&channel, &error, &written}) {
    if (!*one) return std::unexpected(one->error());
  }
  const auto pid = spawn(program, channel->get(), error->get(), written->get());
  if (!pid) return std::unexpected(pid.error());
  Successor successor(*pid, std::move(sides->first), std::move(output));
  std::deque<Unsent>& unsent = successor.unsent_;
  for (const PassedSocket& socket : sockets) unsent.push_back({"socket " + socket.name, socket.fd});
  for (const std::string& network : networks) unsent.push_back({"network " + network, -1});
  unsent.push_back({"end " + std::to_string(::getpid()), -1});
  return successor;
}

// As many as the kernel takes: the process reads them only after its configuration.
void Successor::pass() {
  while (!unsent_.empty() && channel_.send(unsent_.front().text, unsent_.front().fd)) unsent_.pop_front();
}

Successor::Successor(Successor&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      channel_(std::move(other.channel_)),
      output_(std::move(other.output_)),
      last_line_(std::move(other.last_line_)),
      line_(std::move(other.line_)),
      problem_(std::move(other.problem_)),
      unsent_(std::move(other.unsent_)),
      is_ready_(other.is_ready_) {}

Successor::~Successor() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  copy_output();
}

void Successor::copy_output() {
  std::array<char, 4096> bytes{};
  for (;;) {
    const ssize_t size = ::read(output_.get(), bytes.data(), bytes.size());
    if (size <= 0) return;
    const std::string_view text(bytes.data(), static_cast<std::size_t>(size));
    // Nobody may read it, and a process that waits for that could not even be stopped. A pipe that poll() calls writable takes 4096 bytes.
    pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) > 0) {
      [[maybe_unused]] const ssize_t copied = ::write(STDERR_FILENO, text.data(), text.size());
    }
    for (const char byte : text) {
      if (byte != '\n') {
        if (line_.size() < kLineBytesMax) line_ += byte;
      } else if (!line_.empty()) {
        last_line_ = std::exchange(line_, {});
      }
    }
  }
}

void Successor::note_end(int status) {
  pid_ = -1;
  copy_output();
  std::string what = "it ended with status " + std::to_string(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) {
    const char* const name = ::sigabbrev_np(WTERMSIG(status));
    what = "it was ended by " +
           (name == nullptr ? "signal " + std::to_string(WTERMSIG(status)) : "SIG" + std::string(name));
  }
  problem_ = problem(what);
}

std::string Successor::problem(std::string_view what) const {
  const std::string& line = line_.empty() ? last_line_ : line_;
  return std::string(what) + (line.empty() ? ", and wrote nothing" : ". Its last line: " + line);
}

Successor::State Successor::look(Duration wait_max) {
  if (pid_ < 0) return State::ended;
  pass();
  const auto message = channel_.receive(wait_max);
  copy_output();
  // Its side is closed when it ends, just before this sees it.
  const int looks = message ? 1 : kLooksForEnd;
  for (int i = 0, status = 0; i < looks; ++i) {
    if (i > 0) ::poll(nullptr, 0, 1);
    if (::waitpid(pid_, &status, WNOHANG) != pid_) continue;
    note_end(status);
    return State::ended;
  }
  if (!message) {
    problem_ = problem("it does not take over: it closed descriptor " + std::to_string(kChannelFd));
    return State::ended;
  }
  if (message && *message && (*message)->text == "ready") is_ready_ = true;
  return is_ready_ ? State::ready : State::starting;
}

bool Successor::let_accept(Duration wait_max) {
  if (!channel_.send("accept")) return false;
  const auto answer = channel_.receive(wait_max);
  copy_output();
  return answer && *answer && (*answer)->text == "accepting";
}

void Successor::release() {
  // It now writes to standard error itself.
  copy_output();
  [[maybe_unused]] const auto told = channel_.send("done");
  pid_ = -1;
}

}  // namespace fanfare::gateway
