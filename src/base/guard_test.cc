#include "base/guard.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace fanfare {
namespace {

TEST(Guard, ATaskThatRunsOutOfMemoryIsCounted) {
  const std::uint64_t before = out_of_memory_count();
  EXPECT_FALSE(run_guarded("a test", [] { throw std::bad_alloc(); }));
  EXPECT_FALSE(run_guarded("a test", [] { throw std::bad_alloc(); }));
  EXPECT_EQ(out_of_memory_count(), before + 2);
}

TEST(Guard, OtherTasksRunAsTheyAre) {
  const std::uint64_t before = out_of_memory_count();
  bool ran = false;
  EXPECT_TRUE(run_guarded("a test", [&] { ran = true; }));
  EXPECT_TRUE(ran);
  EXPECT_THROW(run_guarded("a test", [] { throw std::logic_error("ours"); }), std::logic_error);
  EXPECT_EQ(out_of_memory_count(), before);
}

}  // namespace
}  // namespace fanfare
