#include "base/text.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace fanfare {
namespace {

TEST(Joined, PutsPartsOneAfterTheOther) {
  const std::string owned = "owned";
  EXPECT_EQ(joined({"[", owned, "]", std::string_view("view\0with a zero byte", 20), ""}),
            std::string("[owned]view\0with a zero byte", 27));
  EXPECT_EQ(joined({}), "");
}

}  // namespace
}  // namespace fanfare
