#include "connect/input.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace fanfare::app {

InputReader::InputReader(net::Loop& loop, int descriptor, Handler handler)
    : loop_(loop),
      descriptor_(descriptor),
      handler_(std::move(handler)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this](const std::stop_token& stopping) { read_on(stopping); }) {}

InputReader::~InputReader() {
  thread_.request_stop();
  ::eventfd_write(stop_.get(), 1);
  asked_.release();
}

void InputReader::read_on(const std::stop_token& stopping) {
  std::string piece;
  do {
    asked_.acquire();
    std::array<pollfd, 2> ready{{{.fd = descriptor_, .events = POLLIN, .revents = 0},
                                 {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
    while (::poll(ready.data(), ready.size(), -1) < 0 && errno == EINTR) {
    }
    if (stopping.stop_requested()) return;
    piece.resize(kPieceBytes);
    ssize_t got = 0;
    do got = ::read(descriptor_, piece.data(), piece.size());
    while (got < 0 && errno == EINTR);
    // A read error counts as the end of the input.
    piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    loop_.post([this, piece]() mutable { handler_(std::move(piece)); });
  } while (!piece.empty());
}

}  // namespace fanfare::app
