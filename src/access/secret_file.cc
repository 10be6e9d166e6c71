#include "access/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "access/credentials.h"

namespace fanfare::access {
namespace {

std::unexpected<std::string> failed(const std::string& path, std::string_view reason) {
  return std::unexpected(path + ": " + std::string(reason));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::expected<std::string, std::string> read_small_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return failed(path, std::strerror(errno));
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return failed(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return failed(path, "this is not a regular file");
  std::string text(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > bytes_max)
    return failed(path, "the file is longer than " + std::to_string(bytes_max) + " bytes");
  text.resize(size);
  return text;
}

std::expected<std::string, std::string> read_secret_file(const std::string& path) {
  auto text = read_small_file(path, kSecretBytesMax + 2);
  if (!text) return text;
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  if (text->empty()) return failed(path, "the file is empty");
  if (text->size() > kSecretBytesMax) return failed(path, "the file is longer than a secret may be");
  if (text->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return failed(path, "the file has more than one line");
  }
  return text;
}

}  // namespace fanfare::access
