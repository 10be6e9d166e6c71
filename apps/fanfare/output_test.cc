#include "output.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace fanfare::app {
namespace {

TEST(FinishOutput, AFullDeviceIsAFailureWithItsReason) {
  for (const int status : {0, 2}) {
    std::ofstream full("/dev/full");
    full << "result\n";
    std::ostringstream complaints;
    EXPECT_EQ(finish_output(full, complaints, status), status == 0 ? 1 : 2);
    EXPECT_EQ(complaints.str(),
              "fanfare: cannot write the result to standard output: No space left on device\n");
  }
}

TEST(FinishOutput, AFailureBeforeTheEndCountsAsWell) {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  std::ostringstream complaints;
  EXPECT_EQ(finish_output(out, complaints, 0), 1);
  EXPECT_EQ(complaints.str(), "fanfare: cannot write the result to standard output\n");
}

TEST(FinishOutput, WhatWasWrittenKeepsTheStatus) {
  std::ostringstream out;
  std::ostringstream complaints;
  EXPECT_EQ(finish_output(out << "result\n", complaints, 0), 0);
  EXPECT_EQ(finish_output(out, complaints, 3), 3);
  EXPECT_EQ(complaints.str(), "");
}

}  // namespace
}  // namespace fanfare::app
