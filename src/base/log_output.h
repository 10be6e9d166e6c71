#pragma once
// Where the lines of the log go. A reader that does not read, such as a stuck log collector behind a pipe, must not stop a loop
// or the end of the process: lines that it does not take are lost, counted, and the next line that arrives is preceded by the count.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace fanfare::log {

class Output {
 public:
  // How long one line waits for the reader. The lines after it do not wait, until the reader reads again.
  static constexpr std::chrono::milliseconds kPatience{100};

  // The descriptor is not closed.
  explicit Output(int descriptor) : descriptor_(descriptor) {}

  // Makes the line that reports lost ones.
  using Notice = std::string (*)(std::uint64_t lost);
  // Any thread. `line` ends with a newline. One that cannot be written, for whatever reason, counts as lost.
  void write(std::string_view line, Notice notice);

 private:
  bool put(std::string_view bytes);
  // Whether a write of PIPE_BUF bytes would not wait.
  bool has_room();

  const int descriptor_;
  std::atomic<std::uint64_t> lost_ = 0;
  std::timed_mutex mutex_;  // guards what follows
  bool is_stuck_ = false;
  bool is_cut_ = false;  // a line has begun and is not ended
};

}  // namespace fanfare::log
