// A thread starts, or the system's error is returned: nothing is thrown or leaked.

#include "net/thread.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

namespace fanfare::net {
namespace {

TEST(Thread, RunsWhatItIsGivenOnAThreadOfItsOwn) {
  std::thread::id ran_on;
  auto thread = start_thread([&ran_on] { ran_on = std::this_thread::get_id(); });
  ASSERT_TRUE(thread.has_value());
  const std::thread::id its_id = thread->get_id();
  thread->join();
  EXPECT_EQ(ran_on, its_id);
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST(Thread, TakesWhatCanOnlyBeMoved) {
  auto value = std::make_unique<int>(41);
  int result = 0;
  auto thread = start_thread([&result, value = std::move(value)] { result = *value + 1; });
  ASSERT_TRUE(thread.has_value());
  thread->join();
  EXPECT_EQ(result, 42);
}

// While it exists, threads request a larger stack than the address space allows.
class NoRoomForStacks {
 public:
  NoRoomForStacks() {
    ::pthread_getattr_default_np(&before_);
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, std::size_t{1} << 48);
    set_ = ::pthread_setattr_default_np(&attributes) == 0;
    ::pthread_attr_destroy(&attributes);
  }
  ~NoRoomForStacks() {
    ::pthread_setattr_default_np(&before_);
    ::pthread_attr_destroy(&before_);
  }
  NoRoomForStacks(const NoRoomForStacks&) = delete;
  NoRoomForStacks& operator=(const NoRoomForStacks&) = delete;
  bool is_set() const { return set_; }

 private:
  pthread_attr_t before_{};
  bool set_ = false;
};

TEST(Thread, WithoutRoomForAStackItIsAnErrorAndNoException) {
  const auto held = std::make_shared<int>(0);
  {
    const NoRoomForStacks no_room;
    ASSERT_TRUE(no_room.is_set());
    const auto thread = start_thread([held] { ++*held; });
    ASSERT_FALSE(thread.has_value());
    EXPECT_EQ(thread.error().call, std::string_view("pthread_create"));
    EXPECT_TRUE(thread.error().code == EAGAIN || thread.error().code == ENOMEM) << thread.error().code;
  }
  // The callable is destroyed without having run.
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 0);
  auto thread = start_thread([held] { ++*held; });
  ASSERT_TRUE(thread.has_value());
  thread->join();
  EXPECT_EQ(*held, 1);
}

}  // namespace
}  // namespace fanfare::net
