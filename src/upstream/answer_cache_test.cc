#include "upstream/answer_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::upstream {
namespace {

SharedBytes text(std::string_view content) {
  return SharedBytes(as_bytes(content));
}
std::string found(AnswerCache& cache, std::string_view key) {
  const auto result = cache.find(key);
  return result ? std::string(as_text(result->view())) : "-";
}

TEST(AnswerCache, KeepsAndReplaces) {
  AnswerCache cache;
  EXPECT_EQ(found(cache, "a"), "-");
  EXPECT_TRUE(cache.put("a", text("1")));
  EXPECT_TRUE(cache.put("a", text("22")));
  EXPECT_EQ(found(cache, "a"), "22");
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_EQ(cache.hits(), 1U);
  EXPECT_EQ(cache.misses(), 1U);
  cache.clear();
  EXPECT_EQ(found(cache, "a"), "-");
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(AnswerCache, TheLeastRecentlyUsedGoesFirst) {
  AnswerCache one;
  one.put("a", text(std::string(1000, 'x')));
  const std::size_t each = one.bytes();

  AnswerCache cache({.bytes_max = 3 * each});
  for (const char* key : {"a", "b", "c"}) cache.put(key, text(std::string(1000, 'x')));
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_NE(found(cache, "a"), "-");
  cache.put("d", text(std::string(1000, 'x')));
  EXPECT_EQ(found(cache, "b"), "-");
  for (const char* key : {"a", "c", "d"}) EXPECT_NE(found(cache, key), "-") << key;
  EXPECT_LE(cache.bytes(), 3 * each);
}

TEST(AnswerCache, WhatIsTooLongOrNotThereIsNotKept) {
  AnswerCache cache({.bytes_max = 1000, .answer_bytes_max = 600});
  EXPECT_TRUE(cache.put("fits", text(std::string(600, 'x'))));
  EXPECT_FALSE(cache.put("long", text(std::string(601, 'x'))));
  EXPECT_FALSE(cache.put("null", text("null")));
  EXPECT_FALSE(cache.put("empty", text("")));
  EXPECT_FALSE(cache.put(std::string(1000, 'k'), text("1")));  // the key counts too
  EXPECT_EQ(cache.size(), 1U);
}

TEST(AnswerCache, AnAnswerInUseOutlivesItsPlace) {
  AnswerCache cache;
  cache.put("a", text("kept"));
  const auto held = cache.find("a");
  cache.clear();
  EXPECT_EQ(as_text(held->view()), "kept");
}

}  // namespace
}  // namespace fanfare::upstream
