#include "fanfare/unique_function.h"

#include <gtest/gtest.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace fanfare {
namespace {

using Count = UniqueFunction<int()>;

static_assert(!std::copy_constructible<Count> && !std::is_copy_assignable_v<Count>);
static_assert(std::is_nothrow_move_constructible_v<Count> && std::is_nothrow_move_assignable_v<Count>);
static_assert(!std::constructible_from<Count, std::string>);
static_assert(!std::constructible_from<UniqueFunction<std::string()>, int (*)()>);
static_assert(!std::constructible_from<Count, int (*)(std::string)>);

// Counts the live instances; Padding decides whether it is stored inline or on the heap.
template <std::size_t Padding>
struct Counted {
  explicit Counted(int& living) : living_(&living) { ++living; }
  Counted(Counted&& other) noexcept : living_(other.living_) { ++*living_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  Counted& operator=(Counted&&) = delete;
  ~Counted() { --*living_; }
  int operator()() const { return *living_; }

  int* living_;
  std::array<char, Padding> padding{};
};

template <typename T>
class UniqueFunctionOf : public testing::Test {};
using Sizes = testing::Types<Counted<1>, Counted<16>, Counted<17>, Counted<400>>;
TYPED_TEST_SUITE(UniqueFunctionOf, Sizes);

TYPED_TEST(UniqueFunctionOf, DestroysWhatItHoldsExactlyOnce) {
  int living = 0;
  {
    Count function = TypeParam(living);
    EXPECT_EQ(living, 1);
    EXPECT_EQ(function(), 1);
    Count moved = std::move(function);
    EXPECT_EQ(living, 1);
    EXPECT_EQ(moved(), 1);
    EXPECT_FALSE(function);  // NOLINT(bugprone-use-after-move): empty after a move, as documented
    Count other = TypeParam(living);
    EXPECT_EQ(living, 2);
    other = std::move(moved);
    EXPECT_EQ(living, 1);
    EXPECT_EQ(other(), 1);
  }
  EXPECT_EQ(living, 0);
}

TYPED_TEST(UniqueFunctionOf, SwapsAndEmpties) {
  int left_living = 0;
  int right_living = 0;
  Count left = TypeParam(left_living);
  Count right = TypeParam(right_living);
  swap(left, right);
  left = nullptr;
  EXPECT_EQ(left_living, 1);
  EXPECT_EQ(right_living, 0);
  EXPECT_TRUE(left == nullptr);
  EXPECT_TRUE(right != nullptr);
  Count& same = right;
  right = std::move(same);
  EXPECT_EQ(right(), 1);
}

TEST(UniqueFunction, IsEmptyWithoutACallable) {
  int (*no_function)() = nullptr;
  const std::function<int()> no_standard_function;
  const Count nothing;
  const Count null = nullptr;
  const Count from_pointer = no_function;
  const Count from_function = no_standard_function;
  const UniqueFunction<long()> from_another = Count();
  EXPECT_FALSE(nothing);
  EXPECT_FALSE(null);
  EXPECT_FALSE(from_pointer);
  EXPECT_FALSE(from_function);
  EXPECT_FALSE(from_another);
}

int three() {
  return 3;
}

TEST(UniqueFunction, HoldsAnythingThatCanBeCalled) {
  Count pointer = three;
  EXPECT_EQ(pointer(), 3);
  Count standard = std::function<int()>(three);
  EXPECT_EQ(standard(), 3);
  UniqueFunction<std::size_t(const std::string&)> member = &std::string::size;
  EXPECT_EQ(member("four"), 4U);
  UniqueFunction<void()> result_dropped = three;
  result_dropped();
  UniqueFunction<long()> converted = three;
  EXPECT_EQ(converted(), 3L);
}

TEST(UniqueFunction, PassesArgumentsAsTheyAre) {
  UniqueFunction<std::unique_ptr<int>(std::unique_ptr<int>, int, int&)> sum = [](std::unique_ptr<int> owned,
                                                                                 int added, int& seen) {
    seen = *owned;
    *owned += added;
    return owned;
  };
  int seen = 0;
  EXPECT_EQ(*sum(std::make_unique<int>(4), 3, seen), 7);
  EXPECT_EQ(seen, 4);
}

TEST(UniqueFunction, ACallableWithStateKeepsIt) {
  Count counter = [count = 0]() mutable { return ++count; };
  EXPECT_EQ(counter(), 1);
  EXPECT_EQ(counter(), 2);
  Count moved = std::move(counter);
  EXPECT_EQ(moved(), 3);
}

TEST(UniqueFunction, ACallableMayReplaceItsFunctionsContentWhenItDies) {
  // Assignment destroys the old callable last, when the new one is in place.
  Count function;
  int seen = 0;
  const auto look = [&function, &seen](int*) { seen = function(); };
  int dummy = 0;
  function = [guard = std::unique_ptr<int, decltype(look)>(&dummy, look)] { return 1; };
  function = [] { return 2; };
  EXPECT_EQ(seen, 2);
}

TEST(UniqueFunctionDeathTest, CallingAnEmptyOneAbortsWithAMessage) {
  Count nothing;
  EXPECT_DEATH(nothing(), "an empty UniqueFunction was called");
  Count left = three;
  const Count taken = std::move(left);
  EXPECT_DEATH(left(), "an empty UniqueFunction was called");  // NOLINT(bugprone-use-after-move)
}

}  // namespace
}  // namespace fanfare
