#pragma once
// Reads standard input on a separate thread and passes it to the loop in pieces. The next piece is read only
// when the loop requests it, so that a fast writer waits for a slow server.

#include <semaphore>
#include <string>
#include <thread>

#include "net/loop.h"
#include "net/socket.h"

namespace fanfare::app {

class InputReader {
 public:
  // Called on the loop's thread, once after each ask_for_more(). An empty piece means the end.
  using Handler = std::function<void(std::string piece)>;
  // The loop and the handler's data must outlive this object. The caller keeps ownership of the descriptor.
  InputReader(net::Loop& loop, int descriptor, Handler handler);
  InputReader(const InputReader&) = delete;
  InputReader& operator=(const InputReader&) = delete;
  // Waits for the thread, which stops waiting for input.
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
