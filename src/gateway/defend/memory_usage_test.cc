// The ceiling and the use of memory, from files as the kernel writes them.

#include "gateway/defend/memory_usage.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gateway/defend/memory_level.h"

namespace fanfare::gateway {
namespace {

constexpr std::uint64_t kUsageMiB = std::uint64_t{1} << 20;

class MemoryUsageTest : public testing::Test {
 protected:
  MemoryUsageTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fanfare-memory-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    files_ = {.proc = folder_ + "/proc", .cgroup = folder_ + "/cgroup"};
    write("proc/meminfo", "MemTotal:        1048576 kB\nMemFree:          524288 kB\n");
    write("proc/self/statm", "1000 300 200 10 0 500 0\n");
  }
  ~MemoryUsageTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  std::string folder_;
  KernelFiles files_;
};

TEST_F(MemoryUsageTest, WithoutALimitTheCeilingIsTheMachines) {
  EXPECT_EQ(memory_ceiling(0, files_).bytes, 1024 * kUsageMiB);
  EXPECT_EQ(memory_ceiling(0, files_).source, MemoryCeiling::Source::machine);
  EXPECT_EQ(memory_ceiling(64 * kUsageMiB, files_).bytes, 64 * kUsageMiB);
  EXPECT_EQ(memory_ceiling(64 * kUsageMiB, files_).source, MemoryCeiling::Source::configured);
}

TEST_F(MemoryUsageTest, TheLeastLimitOfTheGroupsCounts) {
  write("proc/self/cgroup", "9:memory:/old\n0::/system.slice/fanfare.service\n");
  write("cgroup/system.slice/fanfare.service/memory.max", "max\n");
  write("cgroup/system.slice/fanfare.service/memory.high", "536870912\n");
  write("cgroup/system.slice/memory.max", "268435456\n");
  EXPECT_EQ(memory_ceiling(0, files_).bytes, 256 * kUsageMiB);
  EXPECT_EQ(memory_ceiling(0, files_).source, MemoryCeiling::Source::cgroup);
  // One that is configured cannot be above it.
  EXPECT_EQ(memory_ceiling(256 * kUsageMiB, files_).source, MemoryCeiling::Source::configured);
  EXPECT_EQ(memory_ceiling(256 * kUsageMiB + 1, files_).bytes, 256 * kUsageMiB);
  EXPECT_EQ(memory_ceiling(256 * kUsageMiB + 1, files_).source, MemoryCeiling::Source::cgroup);
}

TEST_F(MemoryUsageTest, AGroupsLimitAboveTheMachinesMemoryIsNone) {
  write("proc/self/cgroup", "0::/\n");
  write("cgroup/memory.max", "9223372036854771712\n");
  EXPECT_EQ(memory_ceiling(0, files_).source, MemoryCeiling::Source::machine);
}

TEST_F(MemoryUsageTest, WithoutFilesNothingIsKnown) {
  const KernelFiles none{.proc = folder_ + "/none", .cgroup = folder_ + "/none"};
  EXPECT_EQ(memory_ceiling(0, none).bytes, 0U);
  EXPECT_EQ(MemoryMeter(true, none).used(), 0U);
}

TEST_F(MemoryUsageTest, TheResidentSetIsUsed) {
  EXPECT_EQ(MemoryMeter(false, files_).used(), 300 * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_GT(MemoryMeter(false).used(), kUsageMiB) << "of this process";
}

TEST_F(MemoryUsageTest, OfAGroupWithoutTheFileCacheThatTheKernelGivesBack) {
  write("proc/self/cgroup", "0::/fanfare\n");
  write("cgroup/fanfare/memory.current", "104857600\n");
  write("cgroup/fanfare/memory.stat",
        "anon 1000\ninactive_file_x 7\ninactive_file 41943040\nactive_file 5\n");
  EXPECT_EQ(MemoryMeter(true, files_).used(), 60 * kUsageMiB);
  EXPECT_LT(MemoryMeter(false, files_).used(), 60 * kUsageMiB);
  write("cgroup/fanfare/memory.stat", "inactive_file 104857600\n");
  EXPECT_EQ(MemoryMeter(true, files_).used(), 300 * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
}

TEST(MemoryMarks, EachLevelBeginsAtItsMarkAndEndsBelowIt) {
  MemoryMarks marks(1000, {.soft_percent = 80, .hard_percent = 90});
  EXPECT_EQ(marks.update(799), MemoryLevel::normal);
  EXPECT_EQ(marks.update(800), MemoryLevel::soft);
  EXPECT_EQ(marks.update(899), MemoryLevel::soft);
  EXPECT_EQ(marks.update(900), MemoryLevel::hard);
  EXPECT_EQ(marks.update(850), MemoryLevel::hard);
  EXPECT_EQ(marks.update(849), MemoryLevel::soft);
  EXPECT_EQ(marks.update(899), MemoryLevel::soft)
      << "below the hard mark again, it is entered at its mark only";
  EXPECT_EQ(marks.update(750), MemoryLevel::soft);
  EXPECT_EQ(marks.update(749), MemoryLevel::normal);
  EXPECT_EQ(marks.update(799), MemoryLevel::normal);
}

TEST(MemoryMarks, AFallFromTheHardMarkMayEndBothLevels) {
  MemoryMarks marks(1000, {});
  EXPECT_EQ(marks.update(2000), MemoryLevel::hard);
  EXPECT_EQ(marks.update(0), MemoryLevel::normal);
}

TEST(MemoryMarks, WithoutACeilingNothingIsRefused) {
  MemoryMarks marks(0, {});
  EXPECT_EQ(marks.update(UINT64_MAX), MemoryLevel::normal);
}

}  // namespace
}  // namespace fanfare::gateway
