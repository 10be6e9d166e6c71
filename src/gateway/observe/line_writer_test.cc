#include "gateway/observe/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "net/socket.h"

namespace fanfare::gateway {
namespace {

// A disk in memory. It may be full, or hang.
struct Disk {
  std::mutex mutex;
  std::condition_variable changed;
  std::string text;
  std::size_t room = SIZE_MAX;
  bool hangs = false;
  int writes = 0;
  int reopens = 0;

  template <typename Is>
  void wait_until(Is is) {
    std::unique_lock lock(mutex);
    changed.wait(lock, is);
  }
  void set(std::size_t new_room, bool new_hangs) {
    const std::scoped_lock lock(mutex);
    room = new_room;
    hangs = new_hangs;
    changed.notify_all();
  }
  std::string content() {
    const std::scoped_lock lock(mutex);
    return text;
  }
};

class DiskSink final : public LineSink {
 public:
  explicit DiskSink(Disk& disk) : disk_(disk) {}
  std::expected<std::size_t, int> write(std::string_view text) override {
    std::unique_lock lock(disk_.mutex);
    ++disk_.writes;
    disk_.changed.notify_all();
    disk_.changed.wait(lock, [this] { return !disk_.hangs; });
    if (disk_.room == 0) return std::unexpected(ENOSPC);
    const std::size_t taken = std::min(disk_.room, text.size());
    disk_.text += text.substr(0, taken);
    disk_.room -= taken;
    disk_.changed.notify_all();
    return taken;
  }
  std::expected<void, int> reopen() override {
    const std::scoped_lock lock(disk_.mutex);
    ++disk_.reopens;
    disk_.changed.notify_all();
    return {};
  }

 private:
  Disk& disk_;
};

AccessRecord record(std::string method) {
  return {.kind = AccessRecord::Kind::call, .method = std::move(method)};
}

class LineWriterTest : public ::testing::Test {
 protected:
  std::unique_ptr<LineWriter> writer(std::size_t lines_max = 100) {
    return std::make_unique<LineWriter>(
        AccessLogPlan{.path = "memory", .format = log::Format::text, .queued_lines_max = lines_max},
        std::make_unique<DiskSink>(disk_), cells_);
  }
  bool has(std::string_view text) { return disk_.text.find(text) != std::string::npos; }
  std::uint64_t dropped(Unrecorded why) const { return cells_.lines_dropped[why].value(); }

  Disk disk_;
  ObserveCells cells_;
};

TEST_F(LineWriterTest, WritesInOrderAndWhatWaitsAtItsEnd) {
  auto log = writer();
  for (int i = 0; i < 50; ++i) log->push(record("m" + std::to_string(i)));
  log.reset();
  const std::string text = disk_.content();
  EXPECT_EQ(std::ranges::count(text, '\n'), 50);
  EXPECT_LT(text.find("method=m0 "), text.find("method=m49 "));
  EXPECT_EQ(cells_.lines.value(), 50U);
  EXPECT_EQ(dropped(Unrecorded::queue) + dropped(Unrecorded::failed), 0U);
}

TEST_F(LineWriterTest, NeverWaitsForADiskThatHangs) {
  disk_.set(SIZE_MAX, true);
  auto log = writer(10);
  log->push(record("first"));
  disk_.wait_until([&] { return disk_.writes > 0; });  // the thread is stuck within it
  for (int i = 0; i < 15; ++i) log->push(record("m"));
  EXPECT_EQ(dropped(Unrecorded::queue), 5U) << "ten fit, five are one past it and more";
  disk_.set(SIZE_MAX, false);
  log.reset();
  EXPECT_EQ(cells_.lines.value(), 11U);
  EXPECT_NE(disk_.content().find("dropped lines=5\n"), std::string::npos) << disk_.content();
}

TEST_F(LineWriterTest, CountsWhatAFullDiskDoesNotTakeAndRecovers) {
  auto log = writer();
  disk_.set(20, false);  // a part of a line
  log->push(record("lost"));
  disk_.wait_until([&] { return disk_.writes >= 2; });
  disk_.set(SIZE_MAX, false);
  log->push(record("kept"));
  disk_.wait_until([&] { return has("method=kept"); });
  log.reset();
  EXPECT_EQ(dropped(Unrecorded::failed), 1U);
  EXPECT_EQ(cells_.lines.value(), 1U);
  const std::string text = disk_.content();
  EXPECT_EQ(text.find('\n'), 20U) << "the torn line ends before the next one begins: " << text;
  EXPECT_NE(text.find("dropped lines=1\n"), std::string::npos) << text;
}

TEST_F(LineWriterTest, EndsAlthoughTheDiskIsFull) {
  auto log = writer();
  disk_.set(0, false);
  log->push(record("lost"));
  log.reset();
  EXPECT_EQ(dropped(Unrecorded::failed), 1U);
}

// A pipe that nobody reads.
class StuckSink final : public LineSink {
 public:
  explicit StuckSink(Disk& disk) : disk_(disk) {}
  std::expected<std::size_t, int> write(std::string_view text) override {
    const std::scoped_lock lock(disk_.mutex);
    if (disk_.text != text) ++disk_.writes;
    disk_.text = text;
    disk_.changed.notify_all();
    return 0;
  }
  std::expected<void, int> reopen() override {
    const std::scoped_lock lock(disk_.mutex);
    ++disk_.reopens;
    return {};
  }

 private:
  Disk& disk_;
};

TEST_F(LineWriterTest, WhatIsLeftAtItsLimitIsNotTriedOneAfterAnother) {
  auto log = std::make_unique<LineWriter>(
      AccessLogPlan{.path = "pipe", .format = log::Format::text, .queued_lines_max = 100},
      std::make_unique<StuckSink>(disk_), cells_, Duration::zero());
  log->push(record("first"));
  disk_.wait_until([&] { return disk_.writes > 0; });
  for (int i = 0; i < 20; ++i) log->push(record("later"));
  log->reopen();
  log.reset();
  EXPECT_EQ(disk_.writes, 1) << "different texts";
  EXPECT_EQ(dropped(Unrecorded::failed), 21U);
  EXPECT_EQ(disk_.reopens, 0) << "it ends";
}

TEST_F(LineWriterTest, ReopensWhenAsked) {
  auto log = writer();
  log->reopen();
  disk_.wait_until([&] { return disk_.reopens == 1; });
}

class AccessLogFile : public ::testing::Test {
 protected:
  AccessLogFile() {
    std::string pattern = ::testing::TempDir() + "/access-log-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~AccessLogFile() override { std::filesystem::remove_all(folder_); }
  static std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::string folder_;
};

TEST_F(AccessLogFile, IsOpenedAgainUnderItsNameAfterARename) {
  const std::string path = folder_ + "/access.log";
  auto sink = open_line_sink(path);
  ASSERT_TRUE(sink);
  EXPECT_EQ((*sink)->write("one\n"), 4U);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0137U, 0U) << "others must not read it";
  std::filesystem::rename(path, path + ".1");
  EXPECT_EQ((*sink)->write("two\n"), 4U);
  ASSERT_TRUE((*sink)->reopen());
  EXPECT_EQ((*sink)->write("three\n"), 6U);
  EXPECT_EQ(content(path + ".1"), "one\ntwo\n");
  EXPECT_EQ(content(path), "three\n");
}

TEST_F(AccessLogFile, ThatCannotBeOpenedIsAnError) {
  EXPECT_EQ(open_line_sink(folder_ + "/missing/access.log").error(), ENOENT);
  EXPECT_EQ(open_line_sink(folder_).error(), EISDIR);
}

TEST_F(AccessLogFile, OnAFullDeviceIsAnErrorOfEachWrite) {
  auto sink = open_line_sink("/dev/full");
  ASSERT_TRUE(sink);
  EXPECT_EQ((*sink)->write("one\n").error(), ENOSPC);
}

TEST_F(AccessLogFile, WithoutAReaderTakesNothingAndDoesNotBlock) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const net::Descriptor reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  auto sink = open_line_sink(path);
  ASSERT_TRUE(sink);
  const std::string page(4096, 'x');
  std::size_t written = 0;
  while (const auto took = (*sink)->write(page)) {
    if (*took == 0) break;
    written += *took;
  }
  EXPECT_GT(written, 0U);
}

// During an upgrade two processes write the same file.
TEST(LineSinkTest, WritesWholeLines) {
  std::string path = std::filesystem::temp_directory_path() / "fanfare-lines-XXXXXX";
  const net::Descriptor made(::mkstemp(path.data()));
  ASSERT_GE(made.get(), 0);
  auto sink = open_line_sink(path);
  ASSERT_TRUE(sink);
  std::string text;
  for (int i = 0; i < 200; ++i) text += std::string(999, 'x') + "\n";
  const auto done = (*sink)->write(text);
  ASSERT_TRUE(done);
  EXPECT_EQ(*done, 65'000U) << "as many lines as fit into 64 KiB";
  EXPECT_EQ((*sink)->write(std::string(100'000, 'x')), 65'536U) << "a line that does not fit";
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace fanfare::gateway
