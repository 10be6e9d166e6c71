#include "base/hex.h"

#include <gtest/gtest.h>

#include <string_view>

namespace fanfare {
namespace {

TEST(Hex, EveryByteIsADigitOrNone) {
  constexpr std::string_view kLower = "0123456789abcdef";
  constexpr std::string_view kUpper = "0123456789ABCDEF";
  for (int byte = -128; byte < 128; ++byte) {
    const char c = static_cast<char>(byte);
    const std::size_t lower = kLower.find(c);
    const std::size_t value = lower != std::string_view::npos ? lower : kUpper.find(c);
    EXPECT_EQ(is_hex_digit(c), value != std::string_view::npos) << byte;
    EXPECT_EQ(hex_digit(c), value == std::string_view::npos ? -1 : static_cast<int>(value)) << byte;
  }
}

}  // namespace
}  // namespace fanfare
