#pragma once
// One loop of a Server, for the files that implement it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "session/server.h"

namespace fanfare::session {

// One loop and its server. The starting thread creates and destroys the loop and the thread; everything else
// is used on that thread only.
struct Server::Thread {
  std::unique_ptr<net::Loop> loop;  // kept to the end: other threads may post to it at any time
  HttpServices services;
  std::unique_ptr<LoopServer> server;
  std::thread thread;
  std::vector<std::size_t> numbers;  // the index of the listener of each listen() call
  std::function<void()> listen;      // on the loop, once
  std::size_t dropped = 0;           // valid after the thread has ended: sessions that did not end in time

  void end();
  void add_to(SessionTotals& totals) const;
  void stop_by(Instant when, std::uint16_t code, std::string_view reason);
  void drain();

 private:
  void look();
  std::size_t count_undelivered(std::size_t enough) const;

  std::uint16_t close_code_ = 0;
  std::string close_reason_;
  Instant until_ = Instant::max();
  net::TimerId timer_{};
  bool draining_ = false;
  bool over_ = false;
  mutable std::mutex totals_mutex_;           // held while the server is read, or goes
  std::optional<SessionTotals> totals_ = {};  // once it goes
};

}  // namespace fanfare::session
