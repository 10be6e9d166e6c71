// The cost of TLS on epoll, without WebSocket: every byte is sent back unchanged. OpenSSL reads and writes
// the sockets itself, and releases its buffers when they are empty.

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "echo_program.h"

namespace {

constexpr std::size_t kReceiveBytes = 16 * 1024;

SSL_CTX* make_context(const fanfare::bench::EchoProgram& program) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_use_certificate_chain_file(context, program.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, program.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    fanfare::bench::give_up("the certificate or its key cannot be used");
  }
  return context;
}

struct Connection {
  SSL* ssl = nullptr;
  std::unique_ptr<std::string> waiting;  // bytes that the socket has not accepted yet
};

class Echo {
 public:
  Echo(int listening, SSL_CTX* context)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)), listening_(listening), context_(context) {
    watch(EPOLL_CTL_ADD, listening_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 1024> events;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listening_) {
          accept();
        } else {
          go_on(fd);
        }
      }
    }
  }

 private:
  void watch(int operation, int fd, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, operation, fd, &event) != 0) fanfare::bench::give_up("epoll_ctl failed");
  }

  void accept() {
    while (true) {
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      if (static_cast<std::size_t>(fd) >= connections_.size()) {
        connections_.resize(static_cast<std::size_t>(fd) + 1);
      }
      SSL* ssl = SSL_new(context_);
      SSL_set_fd(ssl, fd);
      SSL_set_accept_state(ssl);
      connections_[static_cast<std::size_t>(fd)].ssl = ssl;
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }

  // Called when the socket is readable or writable, as TLS required.
  void go_on(int fd) {
    Connection& connection = connections_[static_cast<std::size_t>(fd)];
    if (connection.waiting != nullptr) {
      if (!send_waiting(fd, connection)) return;
      watch(EPOLL_CTL_MOD, fd, EPOLLIN);
    }
    while (true) {
      std::size_t got = 0;
      if (SSL_read_ex(connection.ssl, buffer_.get(), kReceiveBytes, &got) != 1) {
        if (SSL_get_error(connection.ssl, 0) != SSL_ERROR_WANT_READ) leave(fd, connection);
        return;
      }
      connection.waiting = std::make_unique<std::string>(buffer_.get(), got);
      if (!send_waiting(fd, connection)) return;
    }
  }

  // Returns false if bytes still wait, or the connection has ended.
  bool send_waiting(int fd, Connection& connection) {
    std::string& waiting = *connection.waiting;
    while (!waiting.empty()) {
      std::size_t sent = 0;
      const int done = SSL_write_ex(connection.ssl, waiting.data(), waiting.size(), &sent);
      if (done != 1) {
        if (SSL_get_error(connection.ssl, done) != SSL_ERROR_WANT_WRITE) {
          leave(fd, connection);
        } else {
          watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
        }
        return false;
      }
      waiting.erase(0, sent);
    }
    connection.waiting.reset();
    return true;
  }

  static void leave(int fd, Connection& connection) {
    ERR_clear_error();  // the errors of this connection would be taken for those of the next one
    SSL_free(connection.ssl);
    connection = {};
    ::close(fd);
  }

  int epoll_;
  int listening_;
  SSL_CTX* context_;
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(kReceiveBytes);
  std::vector<Connection> connections_;  // by descriptor
};

}  // namespace

int main(int argc, char** argv) {
  const fanfare::bench::EchoProgram program = fanfare::bench::program_of(argc, argv);
  if (program.certificate.empty() || program.broadcast || program.deflate) {
    fanfare::bench::give_up("needs --tls, and knows nothing else");
  }
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL may write to a closed connection
  fanfare::bench::raise_descriptor_limit();
  SSL_CTX* const context = make_context(program);
  const auto listening = fanfare::bench::listen_for_echo(program.where);
  fanfare::bench::say_listening(listening.get());
  Echo(listening.get(), context).run();
}
