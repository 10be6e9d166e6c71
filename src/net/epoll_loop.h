#pragma once
// The epoll loop: level-triggered, one receive buffer for all streams.

#include <deque>

#include "net/accept_pause.h"
#include "net/loop.h"

namespace fanfare::net {

class EpollLoop final : public Loop {
 public:
  static std::expected<std::unique_ptr<Loop>, OsError> create(const LoopOptions& options);
  ~EpollLoop() override;

  ListenerId listen(Descriptor descriptor, AcceptHandler handler) override;
  void stop_listening(ListenerId id, LateConnections late) override;
  std::string_view name() const override { return "epoll"; }
  int prepare_to_wait() override { return epoll_.get(); }

 private:
  struct Listener {
    ListenerId id;
    Descriptor descriptor;
    AcceptHandler handler;
    AcceptPause pause = {};
  };

  EpollLoop(const LoopOptions& options, Descriptor epoll);

  bool poll(Duration wait) override;
  void start(Stream& stream) override;
  void update_reading(Stream& stream) override;
  void flush(Stream& stream) override;
  ssize_t send_parts(Stream& stream, std::size_t& asked);
  void begin_close(Stream& stream) override;

  static void prefetch_handler(std::uint64_t tag);
  void handle(Stream& stream, std::uint32_t events);
  void receive(Stream& stream);
  void finish_connecting(Stream& stream);
  void accept(Listener& listener);
  void rest(Listener& listener);
  bool watch(int operation, int fd, std::uint32_t events, std::uint64_t tag);

  Descriptor epoll_;
  std::unique_ptr<std::uint8_t[]> receive_buffer_;
  std::deque<Listener> listeners_;  // elements never move; a stopped one stays, without a descriptor
};

}  // namespace fanfare::net
