// If the system has no descriptor left for a loop, creation fails, whichever of the loop's descriptors is
// affected.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "net/loop.h"
#include "net/socket.h"

namespace fanfare::net {
namespace {

// While it exists, exactly `spare` descriptors are available.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t spare) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    // All lower descriptors are in use, so the limit is exact.
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(next);
    const rlimit few{.rlim_cur = static_cast<rlim_t>(next) + spare, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class LoopLimitsTest : public ::testing::TestWithParam<LoopKind> {};

TEST_P(LoopLimitsTest, WithoutDescriptorsThereIsAnError) {
  constexpr rlim_t kEnough = 8;
  // UBSan opens a pipe the first time it checks a type; later no descriptor would be available for it.
  for (const LoopKind kind : {LoopKind::uring, LoopKind::epoll}) (void)Loop::create({.kind = kind});
  bool made = false;
  std::vector<OsError> refused;
  for (rlim_t spare = 0; spare <= kEnough && !made; ++spare) {
    const FewDescriptors few(spare);
    const auto loop = Loop::create({.kind = GetParam()});
    made = loop.has_value();
    if (made) continue;
    refused.push_back(loop.error());
  }
  EXPECT_TRUE(made) << "with " << kEnough << " left";
  EXPECT_FALSE(refused.empty());
  for (const OsError& error : refused) EXPECT_EQ(error.code, EMFILE) << error.message();
}

INSTANTIATE_TEST_SUITE_P(Loops, LoopLimitsTest,
                         ::testing::Values(LoopKind::automatic, LoopKind::uring, LoopKind::epoll),
                         [](const auto& info) {
                           switch (info.param) {
                             case LoopKind::automatic:
                               return "automatic";
                             case LoopKind::uring:
                               return "uring";
                             case LoopKind::epoll:
                               return "epoll";
                           }
                           return "";
                         });

}  // namespace
}  // namespace fanfare::net
