#include "help_text.h"

#include <gtest/gtest.h>

namespace fanfare::app {
namespace {

TEST(HelpText, ADescriptionContinuesInItsColumn) {
  EXPECT_EQ(fit_to_columns("  -x,--execute TEXT   Send this and leave; again for more\n", 40),
            "  -x,--execute TEXT   Send this and\n"
            "                      leave; again for\n"
            "                      more\n");
}

TEST(HelpText, ADescriptionAfterANameThatFillsTheColumnContinuesThere) {
  EXPECT_EQ(fit_to_columns("  --allowed-origin ORIGIN ... Pages that may send requests", 45),
            "  --allowed-origin ORIGIN ... Pages that may\n"
            "                              send requests");
}

TEST(HelpText, OtherLinesKeepTheirIndentation) {
  EXPECT_EQ(fit_to_columns("    one two three four", 14), "    one two\n    three four");
  EXPECT_EQ(fit_to_columns("one two", 7), "one two");
  EXPECT_EQ(fit_to_columns("one two\n\nthree", 6), "one\ntwo\n\nthree");
}

TEST(HelpText, CommandsAndLongWordsStayWhole) {
  EXPECT_EQ(fit_to_columns("  fanfare serve --dev --dev-block-time 200ms", 20),
            "  fanfare serve --dev --dev-block-time 200ms");
  EXPECT_EQ(fit_to_columns("  abcdefghijklmnop", 10), "  abcdefghijklmnop");
}

}  // namespace
}  // namespace fanfare::app
