#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "bench/dial.h"

namespace fanfare::app {
namespace {

constexpr std::size_t kDialersMax = 16;

class Dialing {
 public:
  Dialing(const http::Url& url, net::Address address, const DialOptions& options, const DialCrowd& crowd)
      : url_(url), address_(address), options_(options), crowd_(crowd), made_(crowd.count) {}

  std::expected<std::vector<Dialed>, std::string> run(const std::function<void(std::size_t)>& progress) {
    start_ = system_clock().now();
    const std::size_t count = std::min(crowd_.count, kDialersMax);
    working_ = count;
    std::vector<std::jthread> dialers;
    for (std::size_t i = 0; i < count; ++i) dialers.emplace_back([this] { work(); });
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::seconds(1), [this] { return working_ == 0; })) {
      progress(count_made_);
    }
    lock.unlock();
    dialers.clear();
    if (!error_.empty()) return std::unexpected(error_);
    return std::move(made_);
  }

 private:
  void work() {
    for (std::size_t i = next_++; i < crowd_.count && !failed_; i = next_++) {
      std::this_thread::sleep_until(start_ + crowd_.ramp * static_cast<std::int64_t>(i) /
                                                 static_cast<std::int64_t>(crowd_.count));
      auto dialed = dial(url_, address_, i, options_);
      if (!dialed) {
        fail("connection " + std::to_string(i + 1) + ": " + dialed.error());
        break;
      }
      made_[i] = std::move(*dialed);
      ++count_made_;
    }
    const std::scoped_lock lock(mutex_);
    --working_;
    changed_.notify_one();
  }
  void fail(std::string error) {
    const std::scoped_lock lock(mutex_);
    if (error_.empty()) error_ = std::move(error);
    failed_ = true;
  }

  const http::Url& url_;
  const net::Address address_;
  const DialOptions& options_;
  const DialCrowd crowd_;
  Instant start_{};
  std::vector<Dialed> made_;  // each entry is used by one dialer
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::size_t> count_made_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;  // guards working_ while there are dialers, and error_
  std::condition_variable changed_;
  std::size_t working_ = 0;
  std::string error_;
};

}  // namespace

std::expected<std::vector<Dialed>, std::string> dial_all(const http::Url& url, const DialOptions& options,
                                                         const DialCrowd& crowd,
                                                         const std::function<void(std::size_t)>& progress) {
  const auto address = resolve_bench_url(url);
  if (!address) return std::unexpected(address.error());
  return Dialing(url, *address, options, crowd).run(progress);
}

}  // namespace fanfare::app
