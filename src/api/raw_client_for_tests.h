#pragma once
// A client for a server under test: a blocking socket with minimal HTTP and WebSocket support that does not
// use the code under test.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace fanfare::api {

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  explicit RawClient(const std::string& unix_path) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof(address.sun_path) - 1);
    connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // Sends a request and returns the whole answer, head and body.
  std::string request(std::string_view method, std::string_view target, std::string_view headers = "") {
    write(std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" +
          std::string(headers) + "\r\n");
    return read_answer(method == "HEAD");
  }
  // Returns the next answer, head and body. An answer to HEAD has no body.
  std::string read_answer(bool head_only) {
    std::size_t head_end = 0;
    while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more()) return buffer_ + "EOF";
    }
    std::size_t size = head_end + 4;
    const std::size_t length = buffer_.find("Content-Length: ");
    if (!head_only && length < head_end) size += std::stoul(buffer_.substr(length + 16));
    return read(size);
  }
  // Reads up to this text, or to the end, which is shown as "EOF".
  std::string read_until(std::string_view needle) {
    std::size_t at = 0;
    while ((at = buffer_.find(needle)) == std::string::npos) {
      if (!read_more()) return std::exchange(buffer_, {}) + "EOF";
    }
    return read(at + needle.size());
  }
  // Returns the bytes received so far, at least one; empty at the end.
  std::string read_some() {
    if (buffer_.empty()) read_more();
    return std::exchange(buffer_, {});
  }
  // Requests an upgrade and returns the head of the answer.
  std::string upgrade(std::string_view target, std::string_view headers = "") {
    return request("GET", target,
                   "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                       std::string(headers));
  }

  // Requests an upgrade, and waits briefly for the answer.
  bool is_answered_soon(std::string_view target) {
    const timeval moment{.tv_sec = 0, .tv_usec = 200'000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment));
    const std::string answer = upgrade(target);
    set_patience();
    return answer.starts_with("HTTP/1.1 101 ");
  }

  // Sends a frame (RFC6455§5.2), masked with zeros; up to 65,535 bytes.
  void send(std::string_view text, char first_byte = '\x81') const {
    std::string frame(1, first_byte);
    if (text.size() < 126) {
      frame += static_cast<char>(0x80U | text.size());
    } else {
      frame += '\xfe';
      frame += static_cast<char>(text.size() >> 8U);
      frame += static_cast<char>(text.size() & 0xffU);
    }
    frame += std::string(4, '\0');
    frame += text;
    write(frame);
  }
  // Returns the next frame's payload; "close CODE reason" for a Close frame, "EOF" at the end.
  std::string receive() {
    const std::string head = read(2);
    if (head.size() < 2) return "EOF";
    first_byte_ = static_cast<unsigned char>(head[0]);
    std::size_t size = static_cast<unsigned char>(head[1]);
    if (size >= 126) {
      const std::string more = read(size == 126 ? 2 : 8);
      size = 0;
      for (const char c : more) size = size << 8U | static_cast<unsigned char>(c);
    }
    std::string payload = read(size);
    if (static_cast<unsigned char>(head[0]) != 0x88) return payload;
    if (payload.size() < 2) return "close";
    const int code = static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
    return "close " + std::to_string(code) + (payload.size() > 2 ? " " + payload.substr(2) : "");
  }

  // Of the latest frame that was received: FIN, RSV1-3, opcode (RFC6455§5.2).
  int first_byte() const { return first_byte_; }

 private:
  // Lets a test fail instead of hanging if an awaited message never arrives.
  void set_patience() const {
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  void connect_to(const sockaddr* address, socklen_t size) const {
    set_patience();
    EXPECT_EQ(::connect(fd_, address, size), 0) << std::strerror(errno);
  }

  std::string read(std::size_t size) {
    while (buffer_.size() < size && read_more()) {
    }
    std::string taken = buffer_.substr(0, size);
    buffer_.erase(0, taken.size());
    return taken;
  }
  bool read_more() {
    char piece[65536];
    ssize_t got = 0;
    // With a timeout it is not restarted after a signal, not even after SIGCONT.
    do {
      got = ::recv(fd_, piece, sizeof(piece), 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    buffer_.append(piece, static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  std::string buffer_;
  int first_byte_ = 0;
};

}  // namespace fanfare::api
