#pragma once
// What the process says to a service manager (systemd's sd_notify(3) protocol): one datagram for each message to the socket
// that NOTIFY_SOCKET names. Without that variable nothing is sent. A message that cannot be sent is dropped, because the
// manager's limits decide what follows.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "fanfare/unique_function.h"

namespace fanfare::gateway {

// The variables as found in the environment; null: not set.
struct NotifyVariables {
  const char* socket = nullptr;         // NOTIFY_SOCKET: a path, or '@' and a name of the abstract namespace
  const char* watchdog_usec = nullptr;  // WATCHDOG_USEC
  const char* watchdog_pid = nullptr;   // WATCHDOG_PID: the process it is meant for
};

class ServiceManager {
 public:
  explicit ServiceManager(const NotifyVariables& variables);
  // With the variables of our environment.
  ServiceManager();
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  bool is_there() const { return fd_ >= 0; }
  // `status` is one line for people.
  void ready(std::string_view status) { send("READY=1\nSTATUS=" + std::string(status)); }
  void reloading();
  void stopping() { send("STOPPING=1\nSTATUS=closing connections"); }
  // Another process has taken over; this one has still to end.
  void main_process(int pid) { send("MAINPID=" + std::to_string(pid)); }
  void alive() { send("WATCHDOG=1"); }

  // How often alive() is expected at the latest: half of what the manager waits. Zero: never.
  Duration watchdog_interval() const { return watchdog_interval_; }

 private:
  void send(const std::string& message) const;

  int fd_ = -1;
  Duration watchdog_interval_{};
};

// Whether all loops still run their tasks. Used by one thread.
class Pulse {
 public:
  // Posts the task to every loop.
  using Post = std::function<void(const std::function<void()>& task)>;

  // True: every loop has run the task of the last beat, or there was none. Then it posts the next.
  bool beat(std::size_t loops, const Post& post);

 private:
  // Shared with tasks that run after this object is gone.
  std::shared_ptr<std::atomic<std::size_t>> answered_;
  std::size_t asked_ = 0;
};

}  // namespace fanfare::gateway
