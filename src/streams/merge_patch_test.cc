#include "streams/merge_patch.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace fanfare::streams {
namespace {

TEST(MergePatch, AppliesAsTheStandardShows_RFC7386_A) {
  const std::array<std::array<std::string_view, 3>, 15> cases{{
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", "{}"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", "null", "null"},
      {R"({"a":"foo"})", "\"bar\"", "\"bar\""},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {"[1,2]", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {"{}", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  }};
  for (const auto& [target, patch, expected] : cases) {
    Json value = *parse_json(target);
    apply_merge_patch(value, *parse_json(patch));
    EXPECT_EQ(value.write(), expected) << target << " " << patch;
  }
}

std::string difference(std::string_view from, std::string_view to) {
  const auto patch = merge_difference(*parse_json(from), *parse_json(to));
  return patch ? patch->write() : "none";
}

TEST(MergePatch, NamesOnlyWhatDiffers) {
  EXPECT_EQ(difference(R"({"a":1,"b":{"c":2,"d":3}})", R"({"b":{"d":4,"c":2},"a":1})"), R"({"b":{"d":4}})");
  EXPECT_EQ(difference(R"({"a":1,"b":2})", R"({"b":2})"), R"({"a":null})");
  EXPECT_EQ(difference(R"({"a":1})", R"({"a":1})"), "{}");
  EXPECT_EQ(difference(R"({"a":1})", R"({"a":{}})"), R"({"a":{}})");
  EXPECT_EQ(difference(R"({"a":[1,2]})", R"({"a":[1,null]})"), R"({"a":[1,null]})");
}

TEST(MergePatch, HasNoWordsForNewNullsAndOtherKinds_RFC7386_1) {
  EXPECT_EQ(difference(R"({"a":1})", R"({"a":null})"), "none");
  EXPECT_EQ(difference(R"({"a":1})", R"({"a":{"b":{"c":null}}})"), "none");
  EXPECT_EQ(difference(R"({"a":{"x":1}})", R"({"a":{"x":1,"y":null}})"), "none");
  EXPECT_EQ(difference("[1]", "{}"), "none");
  EXPECT_EQ(difference("{}", "1"), "none");
  // A null that was there before needs no words.
  EXPECT_EQ(difference(R"({"a":null,"b":1})", R"({"a":null,"b":2})"), R"({"b":2})");
}

Json random_value(Random& random, int depth) {
  switch (random.below(depth > 0 ? 6 : 4)) {
    case 0:
      return {};
    case 1:
      return Json::of(random.below(3));
    case 2:
      return Json::of(random.below(2) == 0);
    case 3:
      return Json::of(std::string_view(random.below(2) == 0 ? "x" : "y"));
    case 4: {
      Json list = Json::array();
      for (std::uint64_t i = random.below(3); i > 0; --i)
        list.items.push_back(random_value(random, depth - 1));
      return list;
    }
    default: {
      Json map = Json::object();
      for (const std::string_view name : {"a", "b", "c", "d"}) {
        if (random.below(2) == 0) map.set(name, random_value(random, depth - 1));
      }
      return map;
    }
  }
}

TEST(MergePatch, TurnsOneValueIntoTheOtherWheneverItExists) {
  SeededRandom random(20261126);
  int patched = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Json from = random_value(random, 3);
    const Json to = random_value(random, 3);
    const auto patch = merge_difference(from, to);
    if (!patch) continue;
    ++patched;
    Json value = from;
    apply_merge_patch(value, *patch);
    ASSERT_EQ(value, to) << from.write() << " " << to.write() << " " << patch->write();
  }
  EXPECT_GT(patched, 200);
}

}  // namespace
}  // namespace fanfare::streams
