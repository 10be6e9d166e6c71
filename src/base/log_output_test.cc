#include "base/log_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace fanfare::log {
namespace {

std::string lost_line(std::uint64_t lost) {
  return "lost " + std::to_string(lost) + "\n";
}

// A pipe of two pages that nobody reads until read_all().
class Pipe {
 public:
  static constexpr int kCapacity = 8192;

  Pipe() {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK), 0);
    EXPECT_EQ(::fcntl(ends_[1], F_SETPIPE_SZ, kCapacity), kCapacity);
    // Writing waits, as at a program's standard error.
    EXPECT_EQ(::fcntl(ends_[1], F_SETFL, 0), 0);
  }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  int writing_end() const { return ends_[1]; }
  std::string read_all() const {
    std::string text;
    std::array<char, 4096> part{};
    for (ssize_t got = 0; (got = ::read(ends_[0], part.data(), part.size())) > 0;) {
      text.append(part.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  std::array<int, 2> ends_{};
};

TEST(LogOutput, AReaderThatDoesNotReadStopsNobodyAndLostLinesAreCounted) {
  const Pipe pipe;
  Output output(pipe.writing_end());
  const std::string line = std::string(4095, 'a') + "\n";
  for (int i = 0; i < 7; ++i) output.write(line, lost_line);
  EXPECT_EQ(pipe.read_all(), line + line) << "what fits";
  output.write("b\n", lost_line);
  EXPECT_EQ(pipe.read_all(), "lost 5\nb\n");
  output.write("c\n", lost_line);
  EXPECT_EQ(pipe.read_all(), "c\n");
}

TEST(LogOutput, ALineThatIsCutEndsBeforeTheNextOne) {
  const Pipe pipe;
  Output output(pipe.writing_end());
  output.write(std::string(3 * Pipe::kCapacity, 'a') + "\n", lost_line);
  EXPECT_EQ(pipe.read_all(), std::string(Pipe::kCapacity, 'a'));
  output.write("b\n", lost_line);
  EXPECT_EQ(pipe.read_all(), "\nlost 1\nb\n");
}

TEST(LogOutput, ADescriptorThatIsClosedHarmsNobody) {
  Output output(1'000'000);
  output.write("a\n", lost_line);
  output.write("b\n", lost_line);
}

TEST(LogOutput, ThreadsAtAStuckReaderAllReturn) {
  const Pipe pipe;
  Output output(pipe.writing_end());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&output] {
      for (int j = 0; j < 100; ++j) output.write(std::string(999, 'a') + "\n", lost_line);
    });
  }
  for (std::thread& thread : threads) thread.join();
  pipe.read_all();
  output.write("b\n", lost_line);
  EXPECT_TRUE(pipe.read_all().starts_with("lost 39"));
}

}  // namespace
}  // namespace fanfare::log
