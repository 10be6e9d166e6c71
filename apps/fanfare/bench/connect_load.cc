// Connections that are opened and closed all the time. Each slot has one connection at a time, which goes through
//
//   connecting -> [securing ->] upgrading -> closing -> gone, and the next one of the slot
//
// The client sends the Close frame, and the server ends the stream (RFC6455§7.1.1). Sockets change all the time, so
// this load has its own loop on epoll.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/random.h"
#include "bench/bytebox.h"
#include "bench/load.h"
#include "bench/run.h"
#include "bench/wire.h"
#include "http/response_parser.h"
#include "net/os_error.h"
#include "ws/handshake_client.h"

namespace fanfare::app {
namespace {

// The server's ends of closed connections stay in TIME_WAIT for a minute. With several addresses of this host a port does
// not come back while one of them is left from its last use.
constexpr std::size_t kHandshakesPerAddress = 4000;
// A failing server must not be asked without end.
constexpr std::uint64_t kFailuresMax = 1000;
constexpr std::string_view kUnit = "handshakes";
constexpr std::size_t kRecordBytes = std::size_t{16} << 10;

enum class Stage : std::uint8_t { connecting, securing, upgrading, closing };

struct Attempt {
  net::Descriptor socket;
  Stage stage = Stage::connecting;
  Instant begun{};
  std::unique_ptr<net::TlsSession> tls;  // null: none
  std::unique_ptr<http::ResponseParser> parser;
  EchoReader reader;  // knows control frames
  Bytebox outgoing;
};

class ConnectRun {
 public:
  ConnectRun(const http::Url& url, const net::Address& address, const DialOptions& options,
             const ConnectLoad& load)
      : url_(url),
        address_(address),
        options_(options),
        load_(load),
        attempts_(load.at_once),
        room_(kRecordBytes) {}

  std::expected<BenchResult, std::string> run(const ShowProgress& progress) {
    if (!epoll_.valid()) return std::unexpected(net::last_error("epoll_create1", "").message());
    const auto handshake = ws::ClientHandshake::make(
        {.host = url_.authority(), .target = url_.target, .deflate = options_.deflate}, random_);
    if (!handshake) return std::unexpected(std::string(ws::to_text(handshake.error())));
    handshake_ = &*handshake;
    const Duration cpu_before = process_cpu_time();
    const Instant start = clock_.now();
    for (Attempt& attempt : attempts_) begin(attempt);
    turn_until(start, progress);
    result_.unit = kUnit;
    result_.loop = "epoll";
    result_.elapsed = clock_.now() - start;
    result_.cpu = process_cpu_time() - cpu_before;
    if (result_.messages == 0 && !error_.empty()) return std::unexpected(error_);
    return std::move(result_);
  }

 private:
  void turn_until(Instant start, const ShowProgress& progress) {
    const Instant end = start + load_.duration;
    Instant tick = start + std::chrono::seconds(1);
    for (Instant now = start; now < end && result_.lost < kFailuresMax; now = clock_.now()) {
      if (now >= tick) {
        progress({.elapsed = now - start,
                  .messages = result_.messages,
                  .latency = result_.latency,
                  .unit = kUnit});
        tick += std::chrono::seconds(1);
      }
      turn(std::min(end, tick) - now);
    }
  }

  void turn(Duration wait) {
    if (!again_.empty()) wait = Duration::zero();
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(wait);
    const timespec time{.tv_sec = whole.count(), .tv_nsec = (wait - whole).count()};
    const int count =
        ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()), &time, nullptr);
    for (int i = 0; i < count; ++i) {
      Attempt& attempt = attempts_[static_cast<std::size_t>(events_[static_cast<std::size_t>(i)].data.u64)];
      go_on(attempt);
    }
    // An attempt that fails at once is repeated in the next turn only, so that no call nests.
    for (Attempt* each : std::exchange(again_, {})) begin(*each);
  }

  void begin(Attempt& attempt) {
    attempt = Attempt();
    attempt.begun = clock_.now();
    attempt.socket =
        net::Descriptor(::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int fd = attempt.socket.get();
    if (fd < 0) return fail(attempt, net::last_error("socket", address_.text()).message());
    net::set_no_delay(fd);
    if (!prepare_loopback(fd, address_, begun_++ / kHandshakesPerAddress)) {
      return fail(attempt, net::last_error("bind", address_.text()).message());
    }
    epoll_event event{};
    // Edges: a socket is writable once it is connected, and each later event is read to its end.
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.u64 = static_cast<std::uint64_t>(&attempt - attempts_.data());
    if ((::connect(fd, address_.data(), address_.size()) != 0 && errno != EINPROGRESS) ||
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      fail(attempt, net::last_error("connect", address_.text()).message());
    }
  }

  void go_on(Attempt& attempt) {
    if (!attempt.socket.valid()) return;  // it has failed in this turn
    if (attempt.stage == Stage::connecting) {
      if (!is_connected(attempt)) return;
      start_talking(attempt);
    }
    if (!flush(attempt)) return;
    while (attempt.socket.valid()) {
      const ssize_t got = ::recv(attempt.socket.get(), room_.data(), room_.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got < 0) return fail(attempt, net::last_error("recv", address_.text()).message());
      if (got == 0) return end_of_stream(attempt);
      result_.bytes += static_cast<std::uint64_t>(got);
      receive(attempt, Bytes(room_.data(), static_cast<std::size_t>(got)));
    }
  }

  bool is_connected(Attempt& attempt) {
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(attempt.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return true;
    errno = error;
    fail(attempt, net::last_error("connect", address_.text()).message());
    return false;
  }

  void start_talking(Attempt& attempt) {
    if (options_.tls == nullptr) return ask(attempt);
    attempt.stage = Stage::securing;
    attempt.tls = std::make_unique<net::TlsSession>(options_.tls, net::TlsRole::client, url_.host);
    attempt.tls->begin(attempt.outgoing);
  }
  void ask(Attempt& attempt) {
    attempt.stage = Stage::upgrading;
    attempt.parser = std::make_unique<http::ResponseParser>();
    say(attempt, as_bytes(handshake_->request()));
  }
  static void say(Attempt& attempt, Bytes bytes) {
    if (attempt.tls == nullptr) return attempt.outgoing.append(bytes);
    attempt.tls->encrypt(bytes, attempt.outgoing);  // a failure shows when its answer does not come
  }

  void receive(Attempt& attempt, Bytes bytes) {
    if (attempt.tls == nullptr) {
      receive_plain(attempt, bytes);
      flush(attempt);
      return;
    }
    while (attempt.socket.valid()) {
      std::size_t size = 0;
      switch (attempt.tls->decrypt(bytes, plain_, size, attempt.outgoing)) {
        case net::TlsSession::Step::wants_input:
        case net::TlsSession::Step::ended:
          flush(attempt);
          return;
        case net::TlsSession::Step::secured:
          ask(attempt);
          break;
        case net::TlsSession::Step::plain:
          receive_plain(attempt, Bytes(plain_).first(size));
          break;
        case net::TlsSession::Step::failed:
          return fail(attempt, "TLS: " + attempt.tls->error());
      }
    }
  }

  void receive_plain(Attempt& attempt, Bytes bytes) {
    if (attempt.stage == Stage::upgrading && !take_answer(attempt, bytes)) return;
    std::vector<std::uint8_t> pongs;
    if (!bytes.empty()) attempt.reader.read(bytes, no_messages_, pongs);
    if (attempt.reader.end() == EchoReader::End::wrong)
      fail(attempt, "the server sent something else than Close", true);
  }
  // False: there is no whole answer yet, or it was a refusal.
  bool take_answer(Attempt& attempt, Bytes& bytes) {
    const auto response = attempt.parser->next(bytes);
    if (!response) {
      fail(attempt, "the server's answer is no HTTP: " + std::string(response.error().reason), true);
      return false;
    }
    if (!*response) return false;
    if (!handshake_->check({.version_minor = (*response)->version_minor,
                            .status = (*response)->status,
                            .headers = (*response)->headers})) {
      fail(attempt, "the upgrade was refused: status " + std::to_string((*response)->status), true);
      return false;
    }
    result_.latency.add(static_cast<std::uint64_t>((clock_.now() - attempt.begun).count()));
    attempt.stage = Stage::closing;
    attempt.parser.reset();
    say(attempt, kClose);
    return true;
  }

  // The server has closed, as it should after its Close frame.
  void end_of_stream(Attempt& attempt) {
    if (attempt.stage != Stage::closing || attempt.reader.end() != EchoReader::End::closed) {
      return fail(attempt, "the server ended the connection without a Close frame");
    }
    ++result_.messages;
    leave(attempt);
  }

  bool flush(Attempt& attempt) {
    Bytes left = attempt.outgoing.bytes;
    while (!left.empty()) {
      const ssize_t sent = ::send(attempt.socket.get(), left.data(), left.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) break;
      if (sent < 0) {
        fail(attempt, net::last_error("send", address_.text()).message());
        return false;
      }
      left = left.subspan(static_cast<std::size_t>(sent));
    }
    attempt.outgoing.bytes.erase(attempt.outgoing.bytes.begin(),
                                 attempt.outgoing.bytes.end() - static_cast<std::ptrdiff_t>(left.size()));
    return true;
  }

  void fail(Attempt& attempt, std::string error, bool wrong = false) {
    if (error_.empty()) error_ = std::move(error);
    ++result_.lost;
    if (wrong) ++result_.wrong;
    leave(attempt);
  }
  void leave(Attempt& attempt) {
    attempt.socket = net::Descriptor();
    again_.push_back(&attempt);
  }

  // Masked with zeros, status 1000 (RFC6455§5.5.1).
  static constexpr std::array<std::uint8_t, 8> kClose{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8};

  const http::Url& url_;
  const net::Address address_;
  const DialOptions& options_;
  const ConnectLoad& load_;
  const ws::ClientHandshake* handshake_ = nullptr;  // the same for all: a new key would measure this program
  SystemRandom random_;
  Clock& clock_ = system_clock();
  net::Descriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  const EchoWire no_messages_ = EchoWire::plain(0, 1, false);
  std::vector<Attempt> attempts_;
  std::vector<Attempt*> again_;
  std::size_t begun_ = 0;
  std::vector<std::uint8_t> room_;
  std::array<std::uint8_t, kRecordBytes> plain_{};  // RFC8446§5.1: a record
  std::array<epoll_event, 256> events_{};
  std::string error_;  // the first one
  BenchResult result_;
};

}  // namespace

std::expected<BenchResult, std::string> run_connect_load(const http::Url& url, const DialOptions& options,
                                                         const ConnectLoad& load,
                                                         const ShowProgress& progress) {
  const auto address = resolve_bench_url(url);
  if (!address) return std::unexpected(address.error());
  return ConnectRun(url, *address, options, load).run(progress);
}

}  // namespace fanfare::app
