#pragma once
// One WebSocket of the load of ./dev bench --relay-peers, as a client. Not blocking once it is connected. It shares no code with the server.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "codec.h"

namespace peers {

[[noreturn]] void give_up(std::string_view what);

class Connection {
 public:
  // Connects to a port of loopback, and requests the upgrade. The place must outlive it.
  Connection(Protocol protocol, std::uint16_t port, bool publishes, Place& place);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  // Upgraded, and the protocol's own handshake is done.
  bool is_open() const { return is_open_; }
  // Reads what has come, at most once from the socket, and passes the payloads of its events. Ends the program if the server ends the
  // connection.
  void read(const std::function<void(std::string_view payload)>& on_event);
  void send_text(std::string_view text);
  // The frame of a text message, so that several can be sent at once.
  static std::string frame(std::string_view text, char opcode);
  void send_bytes(std::string_view bytes);

 private:
  bool finish_upgrade();
  // Returns the bytes that it took; zero: there is no whole frame.
  std::size_t read_frame(std::string_view bytes,
                         const std::function<void(std::string_view payload)>& on_event);
  void read_text(std::string_view text, const std::function<void(std::string_view payload)>& on_event);

  const Protocol protocol_;
  const bool publishes_;
  Place& place_;
  int fd_ = -1;
  bool is_upgraded_ = false;
  bool is_open_ = false;
  std::string waiting_;             // what has come and is no whole frame
  std::string_view position_ = {};  // of the last event, within waiting_
};

}  // namespace peers
