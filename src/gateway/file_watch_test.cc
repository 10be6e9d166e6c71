#include "gateway/file_watch.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace fanfare::gateway {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public testing::Test {
 protected:
  FileWatchTest() {
    std::string pattern = fs::temp_directory_path() / "fanfare-watch-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    write("a", "one");
    write("b", "two");
  }
  ~FileWatchTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  // Another size each time: the clock of a file system may be too coarse for two writes.
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

  fs::path folder_;
};

TEST_F(FileWatchTest, AChangeIsReportedOnceWhenItHasSettled) {
  FileWatch watch({path("a"), path("b")});
  EXPECT_FALSE(watch.look());
  write("b", "three");
  EXPECT_FALSE(watch.look()) << "it may still be written";
  EXPECT_TRUE(watch.look());
  EXPECT_FALSE(watch.look());
}

TEST_F(FileWatchTest, WhatIsNotKnownIsReportedWhenItHasSettled) {
  FileWatch watch({path("a")});
  watch.forget();
  write("a", "changed");
  EXPECT_FALSE(watch.look());
  EXPECT_TRUE(watch.look());
  EXPECT_FALSE(watch.look());
}

TEST_F(FileWatchTest, AFileThatIsStillWrittenIsLeftAlone) {
  FileWatch watch({path("a")});
  for (const std::string text : {"1234", "12345", "123456"}) {
    write("a", text);
    EXPECT_FALSE(watch.look()) << text;
  }
  EXPECT_TRUE(watch.look());
}

TEST_F(FileWatchTest, AFileThatWasReplacedHasChanged) {
  FileWatch watch({path("a")});
  write("new", "one");
  fs::rename(path("new"), path("a"));
  EXPECT_FALSE(watch.look());
  EXPECT_TRUE(watch.look());
}

// As orchestrators mount secrets: the path is a link, and another folder takes the place of its target.
TEST_F(FileWatchTest, ALinkToAnotherFileHasChanged) {
  fs::create_symlink(path("a"), path("link"));
  FileWatch watch({path("link")});
  fs::create_symlink(path("b"), path("next"));
  fs::rename(path("next"), path("link"));
  EXPECT_FALSE(watch.look());
  EXPECT_TRUE(watch.look());
}

// The operator hears of a mount that vanished before the next start fails.
TEST_F(FileWatchTest, AFileThatIsGoneIsReportedOnceAndAgainWhenItIsBack) {
  FileWatch watch({path("a"), path("b")});
  fs::remove(path("a"));
  EXPECT_FALSE(watch.look());
  EXPECT_TRUE(watch.look());
  EXPECT_FALSE(watch.look());
  write("a", "again");
  EXPECT_FALSE(watch.look());
  EXPECT_TRUE(watch.look());
}

}  // namespace
}  // namespace fanfare::gateway
