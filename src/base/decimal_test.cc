#include "base/decimal.h"

#include <gtest/gtest.h>

#include <clocale>
#include <limits>
#include <string>

namespace fanfare {
namespace {

TEST(DecimalTest, ReadsEveryFormOfANumber) {
  EXPECT_EQ(double_of("0"), 0);
  EXPECT_EQ(double_of("-12.5"), -12.5);
  EXPECT_EQ(double_of("25e-1"), 2.5);
  EXPECT_EQ(double_of("1E3"), 1000);
  EXPECT_EQ(double_of("0.1"), 0.1);
  EXPECT_EQ(double_of("1e400"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(double_of("1e-400"), 0);
}

TEST(DecimalTest, ReadsNoFurtherThanTheText) {
  EXPECT_EQ(double_of(std::string_view("1234").substr(0, 2)), 12);
}

TEST(DecimalTest, DoesNotDependOnTheLocale) {
  const char* const kept = std::setlocale(LC_NUMERIC, nullptr);
  const std::string before = kept == nullptr ? "C" : kept;
  for (const char* const name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"})
    std::setlocale(LC_NUMERIC, name);
  EXPECT_EQ(double_of("1.5"), 1.5);
  std::setlocale(LC_NUMERIC, before.c_str());
}

}  // namespace
}  // namespace fanfare
