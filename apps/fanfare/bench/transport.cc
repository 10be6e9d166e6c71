#include "bench/transport.h"

#include <array>
#include <cerrno>
#include <utility>

namespace fanfare::app {

// The TLS layer between the ring and the load. Data encrypted during a send is sent with the next one.
class BenchTransport::Secure final : public BenchRing::Handler {
 public:
  Secure(BenchRing& ring, std::vector<Dialed>& connections) : ring_(ring), connections_(connections.size()) {
    for (std::size_t i = 0; i < connections.size(); ++i) connections_[i].tls = connections[i].tls.get();
  }

  void send(std::size_t index, Bytes bytes, bool untold) {
    Connection& connection = connections_[index];
    if (!connection.tls->encrypt(bytes, connection.waiting)) return failed_.push_back(index);
    connection.tell = connection.tell || !untold;
    flush(index, connection);
  }
  void turn(Duration wait, Handler& load) {
    load_ = &load;
    for (const std::size_t index : std::exchange(failed_, {})) end(index, EPROTO);
    ring_.turn(wait, *this);
  }

  void on_bytes(std::size_t index, MutableBytes bytes) override {
    Connection& connection = connections_[index];
    Bytes input = bytes;
    while (!connection.ended) {
      std::size_t size = 0;
      switch (connection.tls->decrypt(input, room_, size, connection.waiting)) {
        case net::TlsSession::Step::wants_input:
          return flush(index, connection);
        case net::TlsSession::Step::secured:
          break;
        case net::TlsSession::Step::plain:
          load_->on_bytes(index, MutableBytes(room_).first(size));
          break;
        case net::TlsSession::Step::ended:
          return end(index, 0);
        case net::TlsSession::Step::failed:
          return end(index, EPROTO);
      }
    }
  }
  void on_sent(std::size_t index) override {
    Connection& connection = connections_[index];
    connection.sending = false;
    flush(index, connection);
    if (connection.sending || !std::exchange(connection.tell, false)) return;
    load_->on_sent(index);
  }
  void on_gone(std::size_t index, int code) override { end(index, code); }

 private:
  struct Connection {
    net::TlsSession* tls = nullptr;
    Bytebox waiting;
    std::vector<std::uint8_t> under_way;
    bool sending = false;
    bool tell = false;  // notify the load when everything is sent
    bool ended = false;
  };

  void flush(std::size_t index, Connection& connection) {
    if (connection.sending || connection.ended || connection.waiting.bytes.empty()) return;
    connection.under_way.swap(connection.waiting.bytes);
    connection.waiting.bytes.clear();
    connection.sending = true;
    ring_.send(index, connection.under_way, false);
  }
  void end(std::size_t index, int code) {
    if (!std::exchange(connections_[index].ended, true)) load_->on_gone(index, code);
  }

  BenchRing& ring_;
  Handler* load_ = nullptr;
  std::vector<Connection> connections_;
  std::vector<std::size_t> failed_;           // encryption failed; reported in the next turn
  std::array<std::uint8_t, 16 * 1024> room_;  // RFC8446§5.1: a record
};

std::expected<std::unique_ptr<BenchTransport>, std::string> BenchTransport::create(
    std::vector<Dialed>& connections, net::LoopKind kind) {
  std::vector<int> fds;
  fds.reserve(connections.size());
  for (const Dialed& dialed : connections) fds.push_back(dialed.socket.get());
  auto ring = BenchRing::create(fds, kind);
  if (!ring) return std::unexpected(ring.error());
  std::unique_ptr<BenchTransport> made(new BenchTransport(std::move(*ring)));
  if (!connections.empty() && connections.front().tls != nullptr) {
    made->secure_ = std::make_unique<Secure>(*made->ring_, connections);
  }
  return made;
}

BenchTransport::BenchTransport(std::unique_ptr<BenchRing> ring) : ring_(std::move(ring)) {}
BenchTransport::~BenchTransport() = default;

void BenchTransport::turn(Duration wait, Handler& handler) {
  if (secure_ == nullptr) return ring_->turn(wait, handler);
  secure_->turn(wait, handler);
}

void BenchTransport::send_secure(std::size_t connection, Bytes bytes, bool untold) {
  secure_->send(connection, bytes, untold);
}

}  // namespace fanfare::app
