// The file of an access log.

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "gateway/observe/line_writer.h"
#include "net/socket.h"

namespace fanfare::gateway {
namespace {

constexpr mode_t kMode = 0640;
// A pipe that poll() calls writable takes so much without blocking.
constexpr std::size_t kPipeBytes = 4096;
constexpr std::size_t kFileBytes = std::size_t{64} << 10;
constexpr int kPollMs = 100;

std::expected<net::Descriptor, int> open_file(const std::string& path) {
  net::Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, kMode));
  if (file.get() < 0) return std::unexpected(errno);
  return file;
}

bool is_regular(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

// Of the text, at most so much, and whole lines if there is one: during an upgrade two processes write the same file, and
// what one write() gives it stays together.
std::size_t whole_lines(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text.size();
  const std::size_t end = text.rfind('\n', most - 1);
  return end == std::string_view::npos ? most : end + 1;
}

class DescriptorSink final : public LineSink {
 public:
  // `path` empty: it cannot be opened again.
  DescriptorSink(net::Descriptor file, std::string path)
      : file_(std::move(file)), path_(std::move(path)), is_file_(is_regular(file_.get())) {}

  std::expected<std::size_t, int> write(std::string_view text) override {
    if (!is_file_) {
      pollfd ready{.fd = file_.get(), .events = POLLOUT, .revents = 0};
      if (::poll(&ready, 1, kPollMs) <= 0) return 0;
    }
    const ssize_t done =
        ::write(file_.get(), text.data(), whole_lines(text, is_file_ ? kFileBytes : kPipeBytes));
    if (done >= 0) return static_cast<std::size_t>(done);
    if (errno == EAGAIN || errno == EINTR) return 0;
    return std::unexpected(errno);
  }

  std::expected<void, int> reopen() override {
    if (path_.empty()) return {};
    auto file = open_file(path_);
    if (!file) return std::unexpected(file.error());
    file_ = *std::move(file);
    is_file_ = is_regular(file_.get());
    return {};
  }

 private:
  net::Descriptor file_;
  const std::string path_;
  bool is_file_;
};

}  // namespace

std::expected<std::unique_ptr<LineSink>, int> open_line_sink(const std::string& path) {
  const bool is_stdout = path == "stdout";
  if (is_stdout || path == "stderr") {
    net::Descriptor copy(::fcntl(is_stdout ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    if (copy.get() < 0) return std::unexpected(errno);
    return std::make_unique<DescriptorSink>(std::move(copy), "");
  }
  auto file = open_file(path);
  if (!file) return std::unexpected(file.error());
  return std::make_unique<DescriptorSink>(*std::move(file), path);
}

}  // namespace fanfare::gateway
