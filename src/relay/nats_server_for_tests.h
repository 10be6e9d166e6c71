#pragma once
// For the relay's tests: a real nats-server with JetStream in a folder of its own, on a port that the system chose. It is
// stopped, killed and started again on the same port and folder.

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"

namespace fanfare::relay {

inline constexpr std::chrono::seconds kPatience{60};

// Polls until it is true. False: not within kPatience.
inline bool eventually(const std::function<bool()>& is_true) {
  std::mutex mutex;
  std::condition_variable never;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::unique_lock lock(mutex);
    never.wait_for(lock, std::chrono::milliseconds(5));
  }
  return true;
}

class TestFolder {
 public:
  TestFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("fanfare-relay-" + std::to_string(SystemRandom().next_u64()))) {
    std::filesystem::create_directory(path_);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The part of docs/relay.md that says what the relay's user needs.
inline std::string documented_rights() {
  std::stringstream text;
  text << std::ifstream(FANFARE_SOURCE_DIR "/docs/relay.md").rdbuf();
  const std::string all = text.str();
  const std::size_t from = all.find("authorization {\n");
  const std::size_t to = all.find("\n```", from);
  EXPECT_TRUE(from != std::string::npos && to != std::string::npos) << "docs/relay.md has no rights";
  return all.substr(from, to - from);
}

class NatsServer {
 public:
  // More lines of the configuration file, and the limits of JetStream; empty: without it. If the lines say nothing of users, whoever
  // connects has the rights that the documentation names.
  explicit NatsServer(std::string more = {}, std::string limits = "max_file: 1GB, max_mem: 256MB")
      : more_(std::move(more)), limits_(std::move(limits)) {
    start();
  }
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;
  ~NatsServer() { kill(); }

  void start() {
    listen_ = "127.0.0.1:" + (port_ == 0 ? "-1" : std::to_string(port_));
    const std::string config = write_config();
    const std::string log = (folder_.path() / "log").string();
    std::vector<std::string> words = {"nats-server", "-c", config, "-l", log};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ASSERT_EQ(posix_spawnp(&pid_, "nats-server", nullptr, nullptr, arguments.data(), environ), 0)
        << "nats-server is missing: apt-get install nats-server";
    const auto ports = folder_.path() / ("nats-server_" + std::to_string(pid_) + ".ports");
    std::string text;
    ASSERT_TRUE(eventually([&] {
      std::stringstream content;
      content << std::ifstream(ports).rdbuf();
      text = content.str();
      return text.find("\"nats://") != std::string::npos || text.find("\"tls://") != std::string::npos;
    })) << std::ifstream(log).rdbuf();
    const std::string marker = "127.0.0.1:";
    port_ = std::stoi(text.substr(text.find(marker) + marker.size()));
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // It reads its configuration again, with other lines.
  void reload(std::string more) {
    const int before = reloads();
    more_ = std::move(more);
    write_config();
    ::kill(pid_, SIGHUP);
    ASSERT_TRUE(eventually([&] { return reloads() > before; }))
        << std::ifstream(folder_.path() / "log").rdbuf();
  }
  // Of the next start().
  void set_more(std::string more) { more_ = std::move(more); }
  void pause() const { ::kill(pid_, SIGSTOP); }
  void go_on() const { ::kill(pid_, SIGCONT); }

  std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }
  // Of a user who may do everything, where the lines say nothing of users.
  std::string operator_url() const { return "nats://operator:operator@127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }
  // Of the stored streams.
  std::filesystem::path data() const { return folder_.path() / "data"; }
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  std::string write_config() const {
    const std::string config = (folder_.path() / "server.conf").string();
    std::ofstream lines(config);
    lines << "listen: " << listen_ << "\n"
          << "ports_file_dir: \"" << folder_.path().string() << "\"\n"
          << more_ << "\n";
    if (more_.find("authorization") == std::string::npos) {
      std::string rights = documented_rights();
      const std::string users = "users: [";
      rights.insert(rights.find(users) + users.size(), "{ user: operator, password: operator }, ");
      lines << rights << "\nno_auth_user: fanfare\n";
    }
    if (!limits_.empty())
      lines << "jetstream { store_dir: \"" << data().string() << "\", " << limits_ << " }\n";
    return config;
  }
  int reloads() const {
    std::ifstream log(folder_.path() / "log");
    int count = 0;
    for (std::string line; std::getline(log, line);)
      count += line.find("Reloaded server configuration") == std::string::npos ? 0 : 1;
    return count;
  }

  std::string more_;
  std::string listen_;
  const std::string limits_;
  TestFolder folder_;
  pid_t pid_ = 0;
  int port_ = 0;
};

}  // namespace fanfare::relay
