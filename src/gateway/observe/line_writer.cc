#include "gateway/observe/line_writer.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/guard.h"
#include "base/log.h"

namespace fanfare::gateway {
namespace {

// How long a line waits at most.
constexpr Duration kWait = std::chrono::milliseconds(200);
// Losses are reported at most this often.
constexpr Duration kReportEvery = std::chrono::seconds(1);
constexpr std::size_t kWriteBytes = std::size_t{64} << 10;

std::string disk_error(int error) {
  return std::system_category().message(error);
}

}  // namespace

LineWriter::LineWriter(const AccessLogPlan& plan, std::unique_ptr<LineSink> sink, ObserveCells& cells,
                       Duration stop_limit)
    : plan_(plan),
      sink_(std::move(sink)),
      cells_(cells),
      stop_limit_(stop_limit),
      queue_(plan.queued_lines_max),
      thread_([this] { run(); }) {}

LineWriter::~LineWriter() {
  queue_.close();
  stop_at_ = system_clock().now() + stop_limit_;
  thread_.join();
}

void LineWriter::push(AccessRecord record) {
  if (queue_.push(std::move(record))) return;
  refused_.fetch_add(1, std::memory_order_relaxed);
  cells_.lines_dropped[Unrecorded::queue].add();
}

void LineWriter::reopen() {
  reopens_ = true;
  queue_.poke();
}

void LineWriter::run() {
  for (bool closed = false; !closed;) {
    auto taken = queue_.take(1, kWait);
    closed = taken.closed;
    // One that ends has no file to open: another one has it now, or nobody.
    if (reopens_.exchange(false) && !closed) reopen_now();
    const auto write = [&] {
      std::string text;
      std::uint64_t lines = 0;
      for (const AccessRecord& record : taken.items) {
        text += access_line_of(record, plan_.format);
        ++lines;
        if (text.size() < kWriteBytes) continue;
        write_all(std::exchange(text, {}), std::exchange(lines, 0));
      }
      if (lines > 0) write_all(text, lines);
      report_lost(closed);
    };
    run_guarded("the access log", write);
  }
}

// In one place, so that the access log says that it has a gap where the gap is.
void LineWriter::report_lost(bool is_last) {
  const std::uint64_t refused = refused_.load(std::memory_order_relaxed);
  lost_ += refused - std::exchange(refused_told_, refused);
  const Instant now = system_clock().now();
  if (lost_ == 0 || (now - told_at_ < kReportEvery && !is_last)) return;
  told_at_ = now;
  const std::uint64_t lost = lost_;
  const std::string line = access_line_of(
      {.kind = AccessRecord::Kind::dropped, .at = system_clock().wall_now(), .lines = lost}, plan_.format);
  write_all(line, 0);
  if (is_failing_) return;
  lost_ = 0;
  log::warn("access_log_lines_dropped", {{"lines", lost}, {"path", plan_.path}});
}

void LineWriter::write_all(std::string_view text, std::uint64_t lines) {
  const std::string mended = is_line_torn_ ? "\n" + std::string(text) : std::string();
  if (is_line_torn_) text = mended;
  const std::size_t skipped = is_line_torn_ ? 1 : 0;
  std::size_t done = 0;
  while (done < text.size()) {
    // Each write may wait for a while, and there may be many lines.
    const auto wrote = system_clock().now() < stop_at_.load()
                           ? sink_->write(text.substr(done))
                           : std::expected<std::size_t, int>(std::unexpected(ETIMEDOUT));
    if (!wrote) {
      if (done > 0) is_line_torn_ = text[done - 1] != '\n';
      const auto whole = std::ranges::count(text.substr(0, done).substr(std::min(skipped, done)), '\n');
      const std::uint64_t written = std::min(lines, static_cast<std::uint64_t>(whole));
      cells_.lines.add(written);
      return failed(wrote.error(), lines - written);
    }
    done += *wrote;
  }
  is_line_torn_ = false;
  cells_.lines.add(lines);
  if (std::exchange(is_failing_, false)) log::info("access_log_recovered", {{"path", plan_.path}});
}

// Once, not for every line.
void LineWriter::failed(int error, std::uint64_t lines) {
  lost_ += lines;
  cells_.lines_dropped[Unrecorded::failed].add(lines);
  if (std::exchange(is_failing_, true)) return;
  log::error("access_log_failed", {{"path", plan_.path}, {"error", disk_error(error)}});
}

void LineWriter::reopen_now() {
  const auto done = sink_->reopen();
  if (!done) {
    return log::error("access_log_not_reopened", {{"path", plan_.path}, {"error", disk_error(done.error())}});
  }
  is_line_torn_ = false;
  log::info("access_log_reopened", {{"path", plan_.path}});
}

}  // namespace fanfare::gateway
