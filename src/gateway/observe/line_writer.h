#pragma once
// Writes the access log on a thread of its own, so that a slow or full disk never makes a loop wait. Lines that find the queue
// full, and lines that the disk does not take, are counted and reported: in the log of the process, and in the access log
// itself once it can be written again.

#include <atomic>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "gateway/observe/access_record.h"
#include "gateway/observe/bounded_queue.h"
#include "gateway/observe/cells.h"
#include "gateway/observe/plan.h"

namespace fanfare::gateway {

// Where lines go. The real one is a file descriptor; a test has a disk that fills up.
class LineSink {
 public:
  LineSink() = default;
  virtual ~LineSink() = default;
  LineSink(const LineSink&) = delete;
  LineSink& operator=(const LineSink&) = delete;

  // Writes some of the text, at least one byte. 0: it took nothing within a while. Errors: errno.
  virtual std::expected<std::size_t, int> write(std::string_view text) = 0;
  // Opens the file again, which may have been renamed. After an error the earlier one stays open.
  virtual std::expected<void, int> reopen() = 0;
};

// "stdout", "stderr" or a file, which is created with mode 0640 and appended to. Errors: errno.
std::expected<std::unique_ptr<LineSink>, int> open_line_sink(const std::string& path);

class LineWriter {
 public:
  static constexpr Duration kStopLimit = std::chrono::seconds(2);

  // Begins to write at once. The cells must outlive it.
  LineWriter(const AccessLogPlan& plan, std::unique_ptr<LineSink> sink, ObserveCells& cells,
             Duration stop_limit = kStopLimit);
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;
  // Writes what waits, for at most `stop_limit` and one write more. The rest is counted as dropped.
  ~LineWriter();

  // Any thread; never waits for the disk.
  void push(AccessRecord record);
  // The file was renamed (logrotate). Any thread; the next lines go to the new one.
  void reopen();

 private:
  void run();
  void report_lost(bool is_last);
  void write_all(std::string_view text, std::uint64_t lines);
  void failed(int error, std::uint64_t lines);
  void reopen_now();

  const AccessLogPlan plan_;
  const std::unique_ptr<LineSink> sink_;
  ObserveCells& cells_;
  const Duration stop_limit_;
  BoundedQueue<AccessRecord> queue_;
  std::atomic<bool> reopens_ = false;
  std::atomic<Instant> stop_at_ = Instant::max();  // from then on it writes nothing
  std::atomic<std::uint64_t> refused_ = 0;         // by the queue
  // What follows belongs to the thread.
  std::uint64_t refused_told_ = 0;
  std::uint64_t lost_ = 0;     // not in the access log yet
  bool is_failing_ = false;    // the last write failed
  bool is_line_torn_ = false;  // a part of a line was written
  Instant told_at_ = kLongAgo;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace fanfare::gateway
