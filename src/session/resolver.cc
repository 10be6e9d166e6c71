#include "session/resolver.h"

#include <netdb.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "net/thread.h"

namespace fanfare::session {

struct Resolver::Entry {
  std::string host;
  std::uint16_t port;
  net::Loop* loop;  // guarded by State::mutex; null: cancelled
  Answer answer;    // the loop's thread only
};

// The helper thread's state. The thread may outlive the resolver and keeps this state alive.
struct Resolver::State {
  Lookup lookup;
  std::mutex mutex;  // guards everything below
  std::condition_variable changed;
  std::deque<std::shared_ptr<Entry>> waiting;
  std::thread thread;
  bool looking_up = false;
  bool stopping = false;
};

Resolver::Result Resolver::system_lookup(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) {
    const char* const why = code == EAI_SYSTEM ? ::strerrordesc_np(errno) : ::gai_strerror(code);
    return std::unexpected("host \"" + host + "\" cannot be resolved: " + why);
  }
  std::vector<net::Address> addresses;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    addresses.emplace_back(info->ai_addr, info->ai_addrlen);
  }
  ::freeaddrinfo(found);
  return addresses;
}

Resolver::Resolver(Lookup lookup) : state_(std::make_shared<State>()) {
  state_->lookup = std::move(lookup);
}

Resolver::~Resolver() {
  std::deque<std::shared_ptr<Entry>> dropped;
  std::thread thread;
  bool looking_up = false;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    dropped.swap(state_->waiting);
    thread = std::move(state_->thread);
    looking_up = state_->looking_up;
  }
  state_->changed.notify_one();
  if (!thread.joinable()) return;
  if (looking_up) {
    thread.detach();
  } else {
    thread.join();
  }
}

Resolver::PendingLookup Resolver::ask(net::Loop& loop, std::string host, std::uint16_t port, Answer answer) {
  PendingLookup question;
  question.state_ = state_;
  question.entry_ = std::make_shared<Entry>(Entry{std::move(host), port, &loop, std::move(answer)});
  {
    const std::lock_guard lock(state_->mutex);
    state_->waiting.push_back(question.entry_);
    if (!state_->thread.joinable()) {
      auto thread = net::start_thread([state = state_] { work(state); });
      if (!thread) {
        state_->waiting.pop_back();
        loop.post([entry = question.entry_, why = thread.error().message()] {
          if (auto asked = std::exchange(entry->answer, {})) {
            asked(std::unexpected("host \"" + entry->host + "\" cannot be resolved: " + why));
          }
        });
        return question;
      }
      state_->thread = *std::move(thread);
    }
  }
  state_->changed.notify_one();
  return question;
}

void Resolver::work(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    state->changed.wait(lock, [&] { return state->stopping || !state->waiting.empty(); });
    if (state->stopping) return;
    std::shared_ptr<Entry> entry = std::move(state->waiting.front());
    state->waiting.pop_front();
    if (entry->loop == nullptr) continue;
    state->looking_up = true;
    lock.unlock();
    Result result = state->lookup(entry->host, entry->port);
    lock.lock();
    state->looking_up = false;
    // Post while holding the lock: after a cancellation the caller may destroy the loop.
    if (state->stopping || entry->loop == nullptr) continue;
    net::Loop& loop = *entry->loop;
    loop.post([entry = std::move(entry), result = std::move(result)]() mutable {
      // Cancelled after it was posted: there is no callback left.
      if (auto asked = std::exchange(entry->answer, {})) asked(std::move(result));
    });
  }
}

Resolver::PendingLookup& Resolver::PendingLookup::operator=(PendingLookup&& other) noexcept {
  if (this == &other) return *this;
  withdraw();
  state_ = std::move(other.state_);
  entry_ = std::move(other.entry_);
  return *this;
}

void Resolver::PendingLookup::withdraw() {
  if (entry_ == nullptr) return;
  {
    const std::lock_guard lock(state_->mutex);
    entry_->loop = nullptr;
  }
  // Moved out first: destroying the callback's captures may call this function again.
  const auto withdrawn = std::exchange(entry_->answer, {});
  entry_.reset();
  state_.reset();
}

}  // namespace fanfare::session
