#include "gateway/config_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

class ConfigFileTest : public testing::Test {
 protected:
  ConfigFileTest() : folder_(testing::TempDir() + "/config-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~ConfigFileTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string pipe() const {
    EXPECT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
    return path("pipe");
  }

 private:
  std::string folder_;
};

TEST_F(ConfigFileTest, ReadsAFileUpToTheLimit) {
  std::ofstream(path("file")) << "0123456789";
  EXPECT_EQ(read_config_file(path("file"), 100), "0123456789");
  EXPECT_EQ(read_config_file(path("file"), 10), "0123456789");
  EXPECT_EQ(read_config_file(path("file"), 9), "012345678");
}

TEST_F(ConfigFileTest, WhatCannotBeReadSaysWhy) {
  EXPECT_EQ(read_config_file(path("none"), 10).error(), "No such file or directory");
  EXPECT_EQ(read_config_file("/", 10).error(), "Is a directory");
}

// At SIGHUP this would otherwise be the end of reloads, and of SIGTERM.
TEST_F(ConfigFileTest, APipeWithoutAWriterIsNotWaitedForForever) {
  EXPECT_EQ(read_config_file(pipe(), 10, 20ms).error(), "nothing was written to this pipe");
}

TEST_F(ConfigFileTest, AWriterThatStopsInTheMiddleIsNotWaitedForForever) {
  const std::string name = pipe();
  const int both_ends = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::write(both_ends, "half", 4), 4);
  EXPECT_EQ(read_config_file(name, 10, 20ms).error(), "nothing was written to this pipe");
  ::close(both_ends);
}

TEST_F(ConfigFileTest, ReadsAPipeThatIsWrittenLater) {
  const std::string name = pipe();
  std::thread writer([&name] { std::ofstream(name) << "logLevel: info\n"; });
  EXPECT_EQ(read_config_file(name, 100, 60s), "logLevel: info\n");
  writer.join();
}

}  // namespace
}  // namespace fanfare::gateway
