#include "ws/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "ws/wire_for_tests.h"

namespace fanfare::ws {
namespace {

using testing::hex;
using testing::joined;
using testing::Wire;
using testing::wire;

// The scalar values themselves, encoded by arithmetic.
Wire encoded(std::uint32_t value) {
  const auto byte = [](std::uint32_t bits) { return static_cast<std::uint8_t>(bits); };
  if (value < 0x80) return {byte(value)};
  if (value < 0x800) return {byte(0xC0 | value >> 6U), byte(0x80 | (value & 0x3FU))};
  if (value < 0x10000) {
    return {byte(0xE0 | value >> 12U), byte(0x80 | (value >> 6U & 0x3FU)), byte(0x80 | (value & 0x3FU))};
  }
  return {byte(0xF0 | value >> 18U), byte(0x80 | (value >> 12U & 0x3FU)), byte(0x80 | (value >> 6U & 0x3FU)),
          byte(0x80 | (value & 0x3FU))};
}

bool fed_bytewise(Bytes text) {
  Utf8Validator validator;
  for (const std::uint8_t& byte : text) {
    if (!validator.feed(Bytes(&byte, 1))) return false;
  }
  return validator.complete();
}

// All validators must agree; long texts use the vector kernel.
void expect_judged(const Wire& text, bool valid) {
  EXPECT_EQ(is_valid_utf8_plain(text), valid) << hex(text);
  EXPECT_EQ(is_valid_utf8(text), valid) << hex(text);
  EXPECT_EQ(fed_bytewise(text), valid) << hex(text);
  for (const std::size_t before : {29U, 30U, 31U, 32U, 33U, 61U, 62U, 63U, 64U}) {
    const Wire longer = joined(Wire(before, 'a'), text, Wire(40, 'b'));
    EXPECT_EQ(is_valid_utf8(longer), valid) << hex(text) << " after " << before;
    const Wire ending = joined(Wire(before, 'a'), text);
    EXPECT_EQ(is_valid_utf8(ending), valid) << hex(text) << " ending after " << before;
  }
}

TEST(Utf8, EveryScalarValueIsValidAndEverySurrogateIsNot_RFC6455_8_1) {
  for (std::uint32_t value = 0; value <= 0x10FFFF; ++value) {
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    const Wire text = joined(Wire(30, 'a'), encoded(value), Wire(3, 'b'));
    ASSERT_EQ(is_valid_utf8_plain(text), !surrogate) << value;
    ASSERT_EQ(is_valid_utf8(text), !surrogate) << value;
  }
}

TEST(Utf8, EveryPairOfBytes_RFC6455_8_1) {
  for (unsigned pair = 0; pair < 0x10000; ++pair) {
    const auto first = static_cast<std::uint8_t>(pair >> 8U);
    const auto second = static_cast<std::uint8_t>(pair);
    const bool valid = (first < 0x80 && second < 0x80) ||
                       (first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF);
    const Wire text = {first, second};
    ASSERT_EQ(is_valid_utf8_plain(text), valid) << hex(text);
    ASSERT_EQ(is_valid_utf8(joined(Wire(31, ' '), text, Wire(31, ' '))), valid) << hex(text);
  }
}

TEST(Utf8, EdgesOfEveryForm_RFC6455_8_1) {
  for (const char* valid : {"", "00", "7F", "C280", "DFBF", "E0A080", "ED9FBF", "EE8080", "EFBFBF",
                            "F0908080", "F48FBFBF", "CEBAE1BDB9CF83CEBCCEB5"}) {
    expect_judged(wire(valid), true);
  }
  for (const char* wrong : {"80",         "BF",
                            "C0AF",       "C1BF",
                            "C2",         "C27F",
                            "C2C0",       "E08080",
                            "E09FBF",     "E0A0",
                            "EDA080",     "EDBFBF",
                            "EFBF",       "F08080AF",
                            "F08FBFBF",   "F09080",
                            "F4908080",   "F5808080",
                            "FBBFBFBF",   "FE",
                            "FF",         "8080",
                            "C28080",     "E0A08080",
                            "F090808080", "CEBAE1BDB9CF83CEBCCEB5EDA080656469746564"}) {
    expect_judged(wire(wrong), false);
  }
}

TEST(Utf8, FailsAtTheByteThatSpoilsIt_RFC6455_8_1) {
  const auto fails_at = [](const char* text) {
    Utf8Validator validator;
    const Wire bytes = wire(text);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      if (!validator.feed(Bytes(bytes).subspan(at, 1))) return static_cast<int>(at);
    }
    return -1;
  };
  EXPECT_EQ(fails_at("'ab' F4 90 80 80"), 3);
  EXPECT_EQ(fails_at("ED A0 80"), 1);
  EXPECT_EQ(fails_at("E0 9F 80"), 1);
  EXPECT_EQ(fails_at("F0 8F 80 80"), 1);
  EXPECT_EQ(fails_at("C0 80"), 0);
  EXPECT_EQ(fails_at("F5"), 0);
  EXPECT_EQ(fails_at("E2 82 'x'"), 2);
  EXPECT_EQ(fails_at("E2 82 AC"), -1);
}

TEST(Utf8, APieceMayCutACharacterAnywhere_RFC6455_5_6) {
  Wire text;
  for (int i = 0; i < 40; ++i) text = joined(text, wire("'a' C3A9 E282AC F09F8E89"));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Utf8Validator validator;
    EXPECT_TRUE(validator.feed(Bytes(text).first(cut)));
    EXPECT_TRUE(validator.feed(Bytes(text).subspan(cut)));
    EXPECT_TRUE(validator.complete());
  }
}

TEST(Utf8, FastAndPlainAgreeOnDamagedText) {
  std::mt19937 random(2);
  Wire sample;
  for (std::uint32_t value : {0x41U, 0x7FFU, 0x20ACU, 0x1F389U, 0xFFFDU, 0x20U}) {
    for (int i = 0; i < 5; ++i) sample = joined(sample, encoded(value));
  }
  for (int round = 0; round < 20'000; ++round) {
    Wire text = sample;
    text.resize(random() % text.size());
    for (auto damages = random() % 3; damages > 0 && !text.empty(); --damages) {
      text[random() % text.size()] = static_cast<std::uint8_t>(random());
    }
    const bool valid = is_valid_utf8_plain(text);
    ASSERT_EQ(is_valid_utf8(text), valid) << hex(text);
    const std::size_t cut = text.empty() ? 0 : random() % text.size();
    Utf8Validator validator;
    ASSERT_EQ(validator.feed(Bytes(text).first(cut)) && validator.feed(Bytes(text).subspan(cut)) &&
                  validator.complete(),
              valid)
        << hex(text) << " cut at " << cut;
  }
}

}  // namespace
}  // namespace fanfare::ws
