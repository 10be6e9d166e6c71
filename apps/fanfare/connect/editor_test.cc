#include "connect/editor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fanfare::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kUp = "\x1B[A";
constexpr const char* kDown = "\x1B[B";

TEST(LineEditor, EnterFinishesALine) {
  LineEditor editor;
  EXPECT_THAT(editor.type("hel").lines, IsEmpty());
  EXPECT_EQ(editor.line(), "hel");
  EXPECT_THAT(editor.type("lo\r\rworld\n").lines, ElementsAre("hello", "world"));
  EXPECT_EQ(editor.line(), "");
}

TEST(LineEditor, KeysMoveAndErase) {
  LineEditor editor;
  editor.type("abcd\x1B[D\x1B[DX");
  EXPECT_EQ(editor.line(), "abXcd");
  editor.type("\x7F");
  EXPECT_EQ(editor.line(), "abcd");
  editor.type("\x1B[3~");
  EXPECT_EQ(editor.line(), "abd");
  editor.type("\x01>\x05<");
  EXPECT_EQ(editor.line(), ">abd<");
  editor.type("\x1B[D\x0B");
  EXPECT_EQ(editor.line(), ">abd");
  editor.type("\x1B[D\x15");
  EXPECT_EQ(editor.line(), "d");
}

TEST(LineEditor, CharactersOfSeveralBytesAreOne) {
  LineEditor editor;
  editor.type("a\xC3\xBC\xE2\x82\xAC");
  editor.type("\x1B[D\x7F");
  EXPECT_EQ(editor.line(), "a\xE2\x82\xAC");
  editor.type("\x05\x7F\x7F\x7F");
  EXPECT_EQ(editor.line(), "");
}

TEST(LineEditor, HistoryKeepsTheUnfinishedLine) {
  LineEditor editor;
  editor.type("one\rtwo\rtwo\rthr");
  editor.type(kUp);
  EXPECT_EQ(editor.line(), "two");
  editor.type(kUp);
  EXPECT_EQ(editor.line(), "one") << "the same line twice is kept once";
  editor.type(kUp);
  EXPECT_EQ(editor.line(), "one");
  editor.type(kDown);
  editor.type(kDown);
  EXPECT_EQ(editor.line(), "thr");
  editor.type(kDown);
  EXPECT_EQ(editor.line(), "thr");
}

TEST(LineEditor, Leaves) {
  LineEditor editor;
  EXPECT_FALSE(editor.type("ab\x01\x04").leave) << "on a line Ctrl-D erases";
  EXPECT_EQ(editor.line(), "b");
  EXPECT_TRUE(editor.type("\x03").leave);
  EXPECT_TRUE(LineEditor().type("\x04").leave);
}

TEST(LineEditor, DrawsWhatFits) {
  LineEditor editor;
  editor.type("abcdefghij");
  EXPECT_EQ(editor.drawn("> ", 80), "\r\x1B[K> abcdefghij");
  EXPECT_EQ(editor.drawn("> ", 8), "\r\x1B[K> fghij");
  editor.type("\x01");
  EXPECT_EQ(editor.drawn("> ", 8), "\r\x1B[K> abcde\x1B[5D");
}

}  // namespace
}  // namespace fanfare::app
