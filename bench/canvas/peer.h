#pragma once
// One connection of the load: dials, upgrades, reads frames and queues what it sends. Never blocks.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "canvas/wire.h"

namespace fanfare::bench::canvas {

enum class Stage { away, dialling, upgrading, greeting, open };

struct Peer {
  std::uint32_t number = 0;
  int fd = -1;
  Stage stage = Stage::away;
  std::string in;   // the beginning of a frame
  std::string out;  // what the socket did not take
  bool wants_write = false;
  std::int64_t due_ns = 0;  // when it dials, or sends next
  std::int64_t opened_ns = 0;
  std::uint64_t bytes = 0;  // received since the beginning
  // A viewer's: the versions of its chunks. kNone: it has none.
  std::uint64_t epoch = 0;
  std::vector<std::uint64_t> versions;
  // A drawer's or a pointer's place.
  std::uint32_t x = 0;
  std::uint32_t y = 0;
};

inline constexpr std::uint64_t kNone = ~0ULL;

// The sockets of one epoll instance.
class Dialer {
 public:
  Dialer(std::uint16_t port, std::string path);

  // False: the system has no more sockets or ports.
  bool dial(Peer& peer);
  void hang_up(Peer& peer);
  // Queues a whole frame and writes as much as the socket takes.
  void send(Peer& peer, std::string_view frame);
  void flush(Peer& peer);
  // After the socket was connected: asks for the upgrade.
  void ask_upgrade(Peer& peer);
  // Appends what has arrived to `peer.in`, at most 256 KiB. False: the connection has ended.
  bool receive(Peer& peer);
  // Takes the answer to the upgrade from `peer.in` once it is whole. Gives up if it is not the canvas.
  bool take_upgrade(Peer& peer) const;

  int epoll() const { return epoll_; }

 private:
  void arm(Peer& peer, bool wants_write);

  const std::uint16_t port_;
  const std::string path_;
  const int epoll_;
  std::string buffer_;
};

}  // namespace fanfare::bench::canvas
