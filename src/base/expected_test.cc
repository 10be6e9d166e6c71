#include "fanfare/expected.h"

#include <gtest/gtest.h>

#include <concepts>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace fanfare {
namespace {

enum class Fault { small, large };
using Number = Expected<int, Fault>;
using Text = Expected<std::string, Fault>;
using Done = Expected<void, std::string>;

Number half(int number) {
  if (number % 2 != 0) return Unexpected(Fault::small);
  return number / 2;
}

TEST(Expected, HoldsAValueOrAnError) {
  const Number good = half(8);
  ASSERT_TRUE(good.has_value());
  EXPECT_TRUE(static_cast<bool>(good));
  EXPECT_EQ(*good, 4);
  EXPECT_EQ(good.value(), 4);
  EXPECT_EQ(good.value_or(7), 4);

  const Number bad = half(7);
  ASSERT_FALSE(bad.has_value());
  EXPECT_FALSE(static_cast<bool>(bad));
  EXPECT_EQ(bad.error(), Fault::small);
  EXPECT_EQ(bad.value_or(7), 7);
}

TEST(Expected, ValueAndErrorOfTheSameTypeStayApart) {
  const Expected<std::string, std::string> good = "text";
  const Expected<std::string, std::string> bad = Unexpected("text");
  ASSERT_TRUE(good);
  ASSERT_FALSE(bad);
  EXPECT_EQ(*good, "text");
  EXPECT_EQ(bad.error(), "text");
  EXPECT_FALSE(good == bad);
}

TEST(Expected, WithoutAValueIsSuccessOrAnError) {
  const Done good;
  EXPECT_TRUE(good.has_value());
  good.value();
  *good;
  Done bad = Unexpected("no");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), "no");
  EXPECT_THROW(bad.value(), BadExpectedAccess);
  bad.emplace();
  EXPECT_TRUE(bad);
}

TEST(Expected, ValueOfAnErrorThrows) {
  Number bad = Unexpected(Fault::large);
  EXPECT_THROW(bad.value(), BadExpectedAccess);
  EXPECT_THROW(std::as_const(bad).value(), BadExpectedAccess);
  EXPECT_THROW(std::move(bad).value(), BadExpectedAccess);
}

TEST(Expected, MovesWhatCannotBeCopied) {
  using Owner = Expected<std::unique_ptr<int>, Fault>;
  static_assert(!std::copy_constructible<Owner>);
  Owner made = std::make_unique<int>(3);
  Owner moved = std::move(made);
  ASSERT_TRUE(moved);
  const std::unique_ptr<int> taken = *std::move(moved);
  EXPECT_EQ(*taken, 3);
  Owner assigned = Unexpected(Fault::small);
  assigned = Owner(std::make_unique<int>(4));
  EXPECT_EQ(**assigned, 4);
  assigned.emplace(nullptr);
  EXPECT_EQ(*assigned, nullptr);
}

TEST(Expected, CopiesAndAssignsAcrossTheTwoStates) {
  const Text value = "a text that is too long for the small buffer of a string";
  const Text error = Unexpected(Fault::large);
  Text one = value;
  EXPECT_EQ(one, value);
  one = error;
  ASSERT_FALSE(one);
  EXPECT_EQ(one.error(), Fault::large);
  one = value;
  ASSERT_TRUE(one);
  EXPECT_EQ(one->size(), value->size());
}

TEST(Expected, MovesOutOfAnErrorAndOutOfAValue) {
  Expected<int, std::string> bad = Unexpected(std::string(100, 'x'));
  const std::string error = std::move(bad).error();
  EXPECT_EQ(error.size(), 100U);
  Text good = std::string(100, 'x');
  const std::string value = std::move(good).value_or("");
  EXPECT_EQ(value.size(), 100U);
}

TEST(Expected, ConvertsItsValueAndItsError) {
  const Expected<const char*, const char*> good = "text";
  const Expected<std::string, std::string> wider = good;
  EXPECT_EQ(wider, "text");
  const Expected<void, const char*> bad = Unexpected("no");
  const Done why = bad;
  EXPECT_EQ(why, Unexpected(std::string("no")));
  static_assert(!std::convertible_to<Text, Number>);
  static_assert(!std::convertible_to<Number, Done>);
}

TEST(Expected, OnlyAnExplicitTestIsABool) {
  static_assert(!std::convertible_to<Number, bool>);
  static_assert(std::constructible_from<bool, Number>);
  // Whether a result holds a value is not itself a value.
  static_assert(!std::constructible_from<Expected<bool, Fault>, Text>);
  const Expected<bool, Fault> no = false;
  ASSERT_TRUE(no.has_value());
  EXPECT_FALSE(*no);
}

TEST(Expected, ComparesWithAValueAndWithAnError) {
  EXPECT_TRUE(half(8) == 4);
  EXPECT_FALSE(half(8) == 5);
  EXPECT_FALSE(half(7) == 3);
  EXPECT_TRUE(half(7) == Unexpected(Fault::small));
  EXPECT_TRUE(half(7) != Unexpected(Fault::large));
  EXPECT_TRUE(half(8) != Unexpected(Fault::small));
}

TEST(Expected, WorksAtCompileTime) {
  constexpr Number good = 3;
  static_assert(good.has_value() && *good == 3);
  constexpr Number bad = Unexpected(Fault::large);
  static_assert(!bad && bad.error() == Fault::large);
}

// Features that programs written for std::expected use.

std::expected<std::string, Fault> standard(bool fine) {
  if (!fine) return Unexpected(Fault::large);
  return "text";
}
Text own(bool fine) {
  if (!fine) return std::unexpected(Fault::large);
  return standard(fine);
}
std::expected<std::string, Fault> standard_of_own(bool fine) {
  return own(fine);
}

TEST(Expected, ConvertsFromAndToTheStandardOne) {
  EXPECT_EQ(own(true), "text");
  EXPECT_EQ(own(false), Unexpected(Fault::large));
  EXPECT_EQ(standard_of_own(true).value(), "text");
  EXPECT_EQ(standard_of_own(false).error(), Fault::large);
  const Text kept = own(true);
  const std::expected<std::string, Fault> copied = kept;
  EXPECT_EQ(copied.value(), *kept);
  const Text back = copied;
  EXPECT_EQ(back, kept);
}

TEST(Expected, ConvertsFromAndToTheStandardOneWithoutAValue) {
  const std::expected<void, std::string> good = Done();
  EXPECT_TRUE(good.has_value());
  const std::expected<void, std::string> bad = Done(Unexpected("no"));
  EXPECT_EQ(bad.error(), "no");
  EXPECT_EQ(Done(bad), Unexpected(std::string("no")));
  EXPECT_TRUE(Done(good));
  const Done refused = std::unexpected("no");
  EXPECT_EQ(refused.error(), "no");
}

TEST(Expected, HandsOnWhatCannotBeCopiedToTheStandardOneAndBack) {
  using Own = Expected<std::unique_ptr<int>, Fault>;
  using Standard = std::expected<std::unique_ptr<int>, Fault>;
  Standard standard_one = Own(std::make_unique<int>(3));
  const Own back = std::move(standard_one);
  ASSERT_TRUE(back);
  EXPECT_EQ(**back, 3);
}

TEST(Expected, AHandlerOfTheStandardKindFitsAFunctionOfOurs) {
  const std::function<Text(bool)> handler = [](bool fine) -> std::expected<std::string, Fault> {
    return standard(fine);
  };
  EXPECT_EQ(handler(true), "text");
  EXPECT_EQ(handler(false), Unexpected(Fault::large));
  // But not a function that returns another type.
  static_assert(!std::is_invocable_r_v<Text, std::expected<int, Fault> (*)()>);
}

}  // namespace
}  // namespace fanfare
