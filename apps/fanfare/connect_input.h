#pragma once
// Standard input, read on a thread of its own and handed to the loop piece by piece: the next piece is read
// when the loop has asked for it, so that a fast writer waits for a slow server.

#include <semaphore>
#include <string>
#include <thread>

#include "net/loop.h"
#include "net/socket.h"

namespace fanfare::app {

class InputReader {
 public:
  // Called on the loop's thread, after each ask_for_more() once; an empty piece is the end.
  using Handler = std::function<void(std::string piece)>;
  // The loop and what the handler uses outlive it; the descriptor stays the caller's.
  InputReader(net::Loop& loop, int descriptor, Handler handler);
  InputReader(const InputReader&) = delete;
  InputReader& operator=(const InputReader&) = delete;
  // Waits for the thread, which does not wait for input any more.
  ~InputReader();

  void ask_for_more() { asked_.release(); }

 private:
  void read_on(const std::stop_token& stopping);

  static constexpr std::size_t kPieceBytes = 64 * 1024;

  net::Loop& loop_;
  int descriptor_;
  Handler handler_;
  std::counting_semaphore<> asked_{0};
  net::Descriptor stop_;  // eventfd
  std::jthread thread_;
};

}  // namespace fanfare::app
