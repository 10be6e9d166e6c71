#include "ws/close_frame.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace fanfare::ws {
namespace {

TEST(CloseReason, IsCutAtTheLimit_RFC6455_5_5_1) {
  EXPECT_EQ(close_reason_of(""), "");
  EXPECT_EQ(close_reason_of("bye"), "bye");
  EXPECT_EQ(close_reason_of(std::string(123, 'x')), std::string(123, 'x'));
  EXPECT_EQ(close_reason_of(std::string(124, 'x')), std::string(123, 'x'));
  EXPECT_EQ(close_reason_of(std::string(100'000, 'x')), std::string(123, 'x'));
}

TEST(CloseReason, IsCutBetweenCharacters_RFC6455_5_5_1) {
  for (const std::string_view character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8E\xBA"}) {
    for (std::size_t before = 115; before <= 123; ++before) {
      const std::string start(before, 'x');
      const std::string text = start + std::string(character) + std::string(200, 'y');
      const std::string_view cut = close_reason_of(text);
      const std::size_t with = before + character.size();
      EXPECT_EQ(cut.size(), with <= 123 ? 123 : before) << before;
      EXPECT_TRUE(text.starts_with(cut));
    }
  }
}

TEST(CloseReason, EndsBeforeWhatIsNotUtf8_RFC6455_5_5_1) {
  EXPECT_EQ(close_reason_of("good\xFF and more"), "good");
  EXPECT_EQ(close_reason_of("good\xC3"), "good");
  EXPECT_EQ(close_reason_of("\x80"), "");
  EXPECT_EQ(close_reason_of(std::string(122, 'x') + "\xED\xA0\x80"), std::string(122, 'x'));
}

}  // namespace
}  // namespace fanfare::ws
