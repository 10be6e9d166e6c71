#include "upstream/worker.h"

#include <curl/curl.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/guard.h"
#include "base/log.h"

namespace fanfare::upstream {
namespace {

// How long the loop sleeps when idle; a wake-up or a socket ends it at once.
constexpr auto kIdleWait = std::chrono::seconds(60);
// The expected number of connections to nodes; more work too.
constexpr std::size_t kConnectionsMax = 256;
// Rounds of posted work after the stop request. More would mean that a callback answers `shutdown` with a new
// call.
constexpr int kStopRoundsMax = 1000;

void init_curl_once() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  FANFARE_CHECK(code == CURLE_OK);
}

}  // namespace

struct Worker::Impl {
  explicit Impl(WorkerOptions given) : options(std::move(given)) {}

  void loop(std::promise<void>& ready);
  void create_loop();
  // Runs the tasks posted before the call. While the worker stops, only until its time is over.
  void run_posted();
  bool is_stop_time_over() const { return stop_asked && system_clock().now() >= stop_by; }
  void run_due_timers();
  void transfer();
  void deliver_finished();
  // Handles the connections' events. Waits for them if there is nothing else to do.
  void turn();
  Duration time_to_wait();
  void end_everything();

  WorkerOptions options;
  CURLM* multi = nullptr;
  std::unique_ptr<net::Loop> net;  // exists while the thread runs

  // Used by the worker thread only.
  std::size_t transfers = 0;  // curl's
  std::map<TimerId, Task> timers;
  std::uint64_t timer_serial = 0;
  std::vector<StopListener*> listeners;
  std::size_t dropped = 0;  // tasks that were destroyed unrun

  std::mutex mutex;  // guards the three below, and the end of `net`
  std::vector<Task> posted;
  bool accepting = true;
  bool waiting = false;  // the thread sleeps, or is about to

  std::atomic<bool> stop_asked = false;
  Instant stop_by{};  // set before stop_asked
  std::atomic<std::thread::id> thread_id;
  std::mutex join_mutex;  // guards the joining of `thread`
  std::thread thread;
};

Worker::Worker(WorkerOptions options) {
  init_curl_once();
  impl_ = std::make_unique<Impl>(std::move(options));
  impl_->multi = curl_multi_init();
  FANFARE_CHECK(impl_->multi != nullptr);
  curl_multi_setopt(impl_->multi, CURLMOPT_MAXCONNECTS, impl_->options.idle_connections_max);
  curl_multi_setopt(impl_->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  std::promise<void> ready;
  impl_->thread = std::thread([impl = impl_.get(), &ready] { impl->loop(ready); });
  ready.get_future().wait();
  pthread_setname_np(impl_->thread.native_handle(), impl_->options.thread_name.substr(0, 15).c_str());
}

Worker::~Worker() {
  stop();
  curl_multi_cleanup(impl_->multi);
}

void Worker::begin_stop() {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->stop_asked) return;
  impl_->stop_by = now() + impl_->options.stop_limit;
  impl_->stop_asked = true;
  if (impl_->accepting) impl_->net->wake();
}

void Worker::stop() {
  FANFARE_CHECK(!on_thread());
  begin_stop();
  const std::scoped_lock lock(impl_->join_mutex);
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool Worker::post(Task task) {
  const std::scoped_lock lock(impl_->mutex);
  if (!impl_->accepting) return false;
  impl_->posted.push_back(std::move(task));
  // Otherwise the thread looks at the queue before it sleeps.
  if (std::exchange(impl_->waiting, false)) impl_->net->wake();
  return true;
}

void Worker::run(Task task) {
  if (on_thread()) {
    task();
    return;
  }
  std::promise<void> ended;
  std::future<void> end = ended.get_future();
  bool has_begun = false;
  // The task itself stays here: if post() rejects it or a stopping worker drops it, it is destroyed here.
  const bool accepted = post([&task, &has_begun, ended = std::move(ended)]() mutable {
    has_begun = true;
    task();
    ended.set_value();
  });
  if (accepted) end.wait();  // also ends when the promise is destroyed unset
  if (has_begun) return;
  stop();  // joins: afterwards the worker's objects belong to this thread
  task();
}

TimerId Worker::call_at(Instant when, Task task) {
  FANFARE_CHECK(on_thread());
  const TimerId id{.at = when, .serial = ++impl_->timer_serial};
  impl_->timers.emplace(id, std::move(task));
  return id;
}

bool Worker::cancel(TimerId timer) {
  const auto found = impl_->timers.find(timer);
  if (found == impl_->timers.end()) return false;
  // Taken out of the map first: the task's destructor may cancel timers.
  const auto node = impl_->timers.extract(found);
  return true;
}

Instant Worker::now() const {
  return system_clock().now();
}
bool Worker::on_thread() const {
  return std::this_thread::get_id() == impl_->thread_id.load();
}
bool Worker::stopping() const {
  return impl_->stop_asked;
}

net::Loop& Worker::loop() {
  FANFARE_CHECK(on_thread());
  return *impl_->net;
}

void Worker::start(void* easy, Transfer& transfer) {
  FANFARE_CHECK(on_thread());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
#if LIBCURL_VERSION_NUM >= 0x075700
  // Abandoning a transfer whose name does not resolve would block the thread: curl waits for the resolver
  // thread, for as long as the system's lookup takes. With this option the resolver thread ends by itself.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  FANFARE_CHECK(curl_multi_add_handle(impl_->multi, easy) == CURLM_OK);
  ++impl_->transfers;
}

void Worker::abandon(void* easy) {
  curl_multi_remove_handle(impl_->multi, easy);
  --impl_->transfers;
}
void Worker::attach(StopListener& listener) {
  impl_->listeners.push_back(&listener);
}
void Worker::detach(StopListener& listener) {
  std::erase(impl_->listeners, &listener);
}

void Worker::Impl::create_loop() {
  net::LoopOptions made{
      .kind = options.loop_kind, .streams_max = kConnectionsMax, .busy_poll = options.busy_poll};
  auto loop = net::Loop::create(made);
  FANFARE_CHECK(loop.has_value());
  net = std::move(*loop);
}

void Worker::Impl::loop(std::promise<void>& ready) {
  // Signals of the process are handled elsewhere. TLS writes to a closed connection, which CURLOPT_NOSIGNAL
  // leaves unprotected, must not end the process with SIGPIPE.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  thread_id = std::this_thread::get_id();
  create_loop();
  ready.set_value();
  while (!stop_asked) {
    run_posted();
    run_due_timers();
    if (transfers > 0) transfer();
    turn();
  }
  end_everything();
}

void Worker::Impl::transfer() {
  int running = 0;
  curl_multi_perform(multi, &running);
  deliver_finished();
}

void Worker::Impl::turn() {
  net->send_queued();
  Duration wait = std::min(time_to_wait(), net->may_wait(kIdleWait));
  if (transfers > 0 && wait > Duration::zero()) {
    // Curl's sockets and those of the loop at once.
    curl_waitfd loop_fd{.fd = net->prepare_to_wait(), .events = CURL_WAIT_POLLIN, .revents = 0};
    // Rounded up, or the thread would spin through the last fraction of a millisecond.
    const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    curl_multi_poll(multi, &loop_fd, 1, static_cast<int>(wait_ms), nullptr);
    wait = Duration::zero();
  }
  net->run_once(wait);
}

void Worker::Impl::run_posted() {
  std::vector<Task> batch;
  {
    const std::scoped_lock lock(mutex);
    batch.swap(posted);
    waiting = false;
  }
  // Busy polling begins with an event of the loop. A task that came while the thread was awake has caused none.
  if (!batch.empty() && options.busy_poll > Duration::zero()) net->wake();
  for (Task& task : batch) {
    if (is_stop_time_over()) {
      ++dropped;
    } else {
      run_guarded("the worker", task);
    }
    task = nullptr;  // its objects are destroyed in the order they came
  }
}

void Worker::Impl::run_due_timers() {
  // One instant for the turn: a timer that re-arms itself for "now" waits for the next turn.
  const Instant due = system_clock().now();
  const std::uint64_t serial_last = timer_serial;
  for (auto it = timers.begin(); it != timers.end() && it->first.at <= due;) {
    if (it->first.serial > serial_last) {
      ++it;
      continue;
    }
    auto node = timers.extract(it);
    run_guarded("the worker", node.mapped());
    it = timers.begin();  // the task may have added or cancelled timers
  }
}

void Worker::Impl::deliver_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // the message is gone after the next call
    void* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    curl_multi_remove_handle(multi, easy);
    --transfers;
    run_guarded("the worker", [&] { static_cast<Transfer*>(transfer)->finished(code); });
  }
}

Duration Worker::Impl::time_to_wait() {
  const std::scoped_lock lock(mutex);
  if (!posted.empty() || stop_asked) return Duration::zero();
  const Duration left = timers.empty() ? kIdleWait : timers.begin()->first.at - system_clock().now();
  waiting = left > Duration::zero();
  return std::max(left, Duration::zero());
}

void Worker::Impl::end_everything() {
  for (int round = 0; round < kStopRoundsMax; ++round) {
    while (!listeners.empty()) {
      StopListener* listener = listeners.back();
      listeners.pop_back();
      listener->worker_stopping();
    }
    run_posted();
    const std::scoped_lock lock(mutex);
    if (posted.empty() && listeners.empty()) break;
    if (is_stop_time_over() && listeners.empty()) break;
  }
  std::vector<Task> left;
  {
    const std::scoped_lock lock(mutex);
    accepting = false;
    left.swap(posted);
  }
  dropped += left.size();
  if (dropped > 0) log::error("upstream_work_dropped_at_stop", {{"tasks", dropped}});
  left.clear();
  while (!timers.empty()) timers.extract(timers.begin());
  net.reset();
}

}  // namespace fanfare::upstream
