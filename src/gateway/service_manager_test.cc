// What a service manager receives, on a socket of a file system and on an abstract one.

#include "gateway/service_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace fanfare::gateway {
namespace {

using testing::StartsWith;

// The manager's end.
class Manager {
 public:
  explicit Manager(const std::string& name) : name_(name) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(name, address.sun_path);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), length), 0);
  }
  ~Manager() {
    ::close(fd_);
    if (name_[0] != '@') std::filesystem::remove(name_);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::string receive() const {
    std::string message(4096, '\0');
    const ssize_t size = ::recv(fd_, message.data(), message.size(), MSG_DONTWAIT);
    message.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return message;
  }
  const char* name() const { return name_.c_str(); }

 private:
  std::string name_;
  int fd_ = -1;
};

std::string unique_name() {
  return "fanfare-notify-" + std::to_string(::getpid());
}

TEST(ServiceManager, SpeaksOnAFileAndOnAnAbstractSocket) {
  for (const std::string& name :
       {(std::filesystem::temp_directory_path() / unique_name()).string(), "@" + unique_name()}) {
    const Manager manager(name);
    ServiceManager to({.socket = manager.name()});
    EXPECT_TRUE(to.is_there());
    to.ready("listening on 127.0.0.1:4000");
    EXPECT_EQ(manager.receive(), "READY=1\nSTATUS=listening on 127.0.0.1:4000");
    to.reloading();
    EXPECT_THAT(manager.receive(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
    to.alive();
    EXPECT_EQ(manager.receive(), "WATCHDOG=1");
    to.stopping();
    EXPECT_THAT(manager.receive(), StartsWith("STOPPING=1\n"));
  }
}

TEST(ServiceManager, WithoutAManagerNothingHappens) {
  for (const char* name : {static_cast<const char*>(nullptr), "", "/nowhere/at/all", "relative", "/"}) {
    ServiceManager to({.socket = name, .watchdog_usec = "1000000"});
    EXPECT_FALSE(to.is_there());
    EXPECT_EQ(to.watchdog_interval(), Duration::zero());
    to.ready("");
    to.alive();
  }
  const std::string long_name = "/" + std::string(200, 'x');
  EXPECT_FALSE(ServiceManager({.socket = long_name.c_str()}).is_there());
}

TEST(ServiceManager, TheWatchdogIsFedTwiceAsOftenAsItBites) {
  const Manager manager("@" + unique_name());
  const std::string self = std::to_string(::getpid());
  const auto interval = [&](const char* usec, const char* pid) {
    return ServiceManager({.socket = manager.name(), .watchdog_usec = usec, .watchdog_pid = pid})
        .watchdog_interval();
  };
  EXPECT_EQ(interval("30000000", nullptr), std::chrono::seconds(15));
  EXPECT_EQ(interval("30000000", self.c_str()), std::chrono::seconds(15));
  EXPECT_EQ(interval("30000000", "1"), Duration::zero());
  EXPECT_EQ(interval("-1", nullptr), Duration::zero());
  EXPECT_EQ(interval("soon", nullptr), Duration::zero());
  EXPECT_EQ(interval("99999999999999999", nullptr), std::chrono::hours(12));
}

TEST(Pulse, ALoopThatStandsStillEndsIt) {
  std::vector<std::function<void()>> waiting;
  const Pulse::Post post = [&](const std::function<void()>& task) { waiting = {task, task}; };
  Pulse pulse;
  EXPECT_TRUE(pulse.beat(2, post));
  for (const auto& task : waiting) task();
  EXPECT_TRUE(pulse.beat(2, post));
  waiting[0]();
  EXPECT_FALSE(pulse.beat(2, post));
  EXPECT_FALSE(pulse.beat(2, post));
  waiting[1]();
  EXPECT_TRUE(pulse.beat(2, post));
  // Tasks may run late.
  pulse = Pulse();
  for (const auto& task : waiting) task();
}

}  // namespace
}  // namespace fanfare::gateway
