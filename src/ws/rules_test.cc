#include "ws/rules.h"

#include <gtest/gtest.h>

#include <set>

#include "ws/close_code.h"
#include "ws/codec.h"

namespace fanfare::ws {
namespace {

TEST(Rules, EveryRuleIsFoundByItsNameAndItsEnumerator) {
  std::set<std::string_view> names;
  for (const RuleInfo& rule : kRules) {
    EXPECT_EQ(&info(rule.rule), &rule);
    EXPECT_EQ(find_rule(rule.name), &rule);
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
    EXPECT_FALSE(rule.sentence.empty());
  }
  EXPECT_EQ(find_rule("no_such_rule"), nullptr);
}

TEST(Rules, CodesMaySendWhatTheyName) {
  for (const RuleInfo& rule : kRules) {
    const bool close = rule.code >= 1000 && is_valid_close_code(rule.code);
    const bool status = rule.code >= 400 && rule.code <= 599;
    EXPECT_TRUE(close || status || rule.code == 0) << rule.name;
    EXPECT_TRUE(rule.clause.starts_with("RFC6455§") || rule.clause.starts_with("RFC7692§")) << rule.name;
  }
}

TEST(CloseCode, ReportOnlyCodesAreNeverOnTheWire_RFC6455_7_4_1) {
  for (const std::uint16_t code : {close_code::no_status, close_code::abnormal, close_code::tls_handshake}) {
    EXPECT_TRUE(is_report_only_close_code(code));
    EXPECT_FALSE(is_valid_close_code(code));
  }
  EXPECT_FALSE(is_report_only_close_code(1000));
}

TEST(CloseCode, RangesInUse_RFC6455_7_4_2) {
  for (unsigned code = 0; code <= 0xffff; ++code) {
    const bool registered = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    const bool open_to_others = code >= 3000 && code <= 4999;
    EXPECT_EQ(is_valid_close_code(static_cast<std::uint16_t>(code)), registered || open_to_others) << code;
  }
}

TEST(Opcode, ReservedOnes_RFC6455_5_2) {
  const std::set<std::uint8_t> known = {0, 1, 2, 8, 9, 10};
  for (std::uint8_t bits = 0; bits < 16; ++bits)
    EXPECT_EQ(is_reserved_opcode(bits), !known.contains(bits)) << +bits;
  EXPECT_TRUE(is_control(Opcode::close));
  EXPECT_TRUE(is_control(Opcode::pong));
  EXPECT_FALSE(is_control(Opcode::continuation));
  EXPECT_FALSE(is_control(Opcode::binary));
}

}  // namespace
}  // namespace fanfare::ws
