#include "streams/mapping.h"

#include <gtest/gtest.h>

#include "streams/new_entries.h"

namespace fanfare::streams {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = FieldSpec::Kind;
using As = FieldSpec::As;

constexpr Instant kStart{std::chrono::hours(1)};

StreamSpec spec_with(std::vector<FieldSpec> fields) {
  return {.name = "s", .calls = {{.name = "r", .method = "m"}}, .fields = std::move(fields)};
}

// The value for the result of the call `r`, or the problem.
std::string mapped(const StreamSpec& spec, std::string_view result) {
  EXPECT_EQ(problem_with(spec), std::nullopt);
  Mapping mapping(spec);
  Json document = Json::object();
  document.set("r", *parse_json(result));
  const auto value = mapping.map(document, kStart);
  return value ? value->write() : value.error();
}
std::string mapped(FieldSpec field, std::string_view result) {
  field.name = "f";
  return mapped(spec_with({std::move(field)}), result);
}

TEST(Mapping, TakesConstantsAndPointers) {
  EXPECT_EQ(
      mapped(
          spec_with({{.name = "kind", .kind = Kind::constant, .constant = Json::of(std::string_view("evm"))},
                     {.name = "first", .pointer = "/r/list/0"},
                     {.name = "all", .pointer = "/r"}}),
          R"({"list":["x"]})"),
      R"({"kind":"evm","first":"x","all":{"list":["x"]}})");
}

TEST(Mapping, NumbersKeepEveryDigitBelow64Bits) {
  const FieldSpec number{.pointer = "/r", .as = As::number};
  EXPECT_EQ(mapped(number, "\"0x1a\""), R"({"f":26})");
  EXPECT_EQ(mapped(number, "\"0x0\""), R"({"f":0})");
  EXPECT_EQ(mapped(number, "\"0xffffffffffffffff\""), R"({"f":18446744073709551615})");
  EXPECT_EQ(mapped(number, "\"0x10000000000000000\""), R"({"f":18446744073709552000})");
  EXPECT_EQ(mapped(number, "\"18446744073709551615\""), R"({"f":18446744073709551615})");
  EXPECT_EQ(mapped(number, "1.50"), R"({"f":1.50})");
  for (const std::string_view wrong :
       {"\"\"", "\"0x\"", "\"0xg\"", "\"0x1 \"", "\"1 \"", "\"x\"", "true", "null", "[1]"}) {
    EXPECT_EQ(mapped(number, wrong), "f: there is no number at /r") << wrong;
  }
}

TEST(Mapping, HexadecimalHasUpTo256Bits) {
  const FieldSpec number{.pointer = "/r", .as = As::number};
  EXPECT_EQ(mapped(number, "\"0x" + std::string(64, '0') + "\""), R"({"f":0})");
  EXPECT_EQ(mapped(number, "\"0x1" + std::string(63, '0') + "\""), R"({"f":7.237005577332262e+75})");
  EXPECT_EQ(mapped(number, "\"0x1" + std::string(64, '0') + "\""), "f: there is no number at /r");
}

TEST(Mapping, ReadsTextFromNumbers) {
  EXPECT_EQ(mapped({.pointer = "/r", .as = As::text}, "18446744073709551616"),
            R"({"f":"18446744073709551616"})");
  EXPECT_EQ(mapped({.pointer = "/r", .as = As::text}, "true"), "f: there is no text at /r");
}

TEST(Mapping, CalculatesInItsOrder) {
  EXPECT_EQ(mapped({.pointer = "/r", .scale = 1e-18}, "\"0xde0b6b3a7640000\""), R"({"f":1})");
  EXPECT_EQ(mapped({.pointer = "/r/a", .minus = "/r/b"}, R"({"a":"0x10","b":6})"), R"({"f":10})");
  EXPECT_EQ(mapped({.pointer = "/r", .scale = -10, .add = 100, .min = 0}, "3"), R"({"f":70})");
  EXPECT_EQ(mapped({.pointer = "/r", .scale = -10, .add = 100, .min = 0}, "30"), R"({"f":0})");
  EXPECT_EQ(mapped({.pointer = "/r", .max = 5}, "30"), R"({"f":5})");
  EXPECT_EQ(mapped({.pointer = "/r", .decimals = 2}, "2.345678"), R"({"f":2.35})");
  EXPECT_EQ(mapped({.pointer = "/r", .decimals = 0}, "1e300"), R"({"f":1e+300})");
  EXPECT_EQ(mapped({.pointer = "/r/a", .minus = "/r/b"}, R"({"a":1})"), "f: there is no number at /r/b");
}

TEST(Mapping, CountsElementsAndMembers) {
  EXPECT_EQ(mapped({.kind = Kind::count, .pointer = "/r"}, "[1,2,3]"), R"({"f":3})");
  EXPECT_EQ(mapped({.kind = Kind::count, .pointer = "/r"}, R"({"a":1})"), R"({"f":1})");
  EXPECT_EQ(mapped({.kind = Kind::count, .pointer = "/r", .scale = 2}, "[1,2,3]"), R"({"f":6})");
  EXPECT_EQ(mapped({.kind = Kind::count, .pointer = "/r"}, "7"), "f: there is nothing to count at /r");
}

TEST(Mapping, WhatIsMissingFailsThePollOrHasADefault) {
  EXPECT_EQ(mapped({.pointer = "/r/x"}, "{}"), "f: there is nothing at /r/x");
  EXPECT_EQ(mapped({.pointer = "/r/x", .fallback = Json::of(std::uint64_t{7})}, "{}"), R"({"f":7})");
  EXPECT_EQ(mapped({.pointer = "/r", .as = As::number, .fallback = Json()}, "null"), R"({"f":null})");
  EXPECT_EQ(mapped({.kind = Kind::list,
                    .pointer = "/r/x",
                    .fallback = Json::array(),
                    .fields = {{.name = "a", .pointer = "/a"}}},
                   "{}"),
            R"({"f":[]})");
}

TEST(Mapping, BuildsObjectsAndLists) {
  const FieldSpec list{.name = "peers",
                       .kind = Kind::list,
                       .pointer = "/r",
                       .fields = {{.name = "id", .pointer = "/a"}, {.name = "whole", .pointer = ""}}};
  const FieldSpec size{.name = "total", .kind = Kind::size, .of = "peers"};
  const FieldSpec object{
      .name = "o", .kind = Kind::object, .fields = {{.name = "n", .kind = Kind::count, .pointer = "/r"}}};
  EXPECT_EQ(mapped(spec_with({size, list, object}), R"([{"a":1},{"a":2}])"),
            R"({"total":2,"peers":[{"id":1,"whole":{"a":1}},{"id":2,"whole":{"a":2}}],"o":{"n":2}})");
  EXPECT_EQ(mapped(spec_with({list}), R"([{"a":1},{}])"), "peers.id: there is nothing at /a");
  EXPECT_EQ(mapped(spec_with({list}), "{}"), "peers: there is no list at /r");
}

TEST(Mapping, TakesDifferencesForEachSecond) {
  const StreamSpec spec = spec_with({{.name = "f", .pointer = "/r", .per_second = true}});
  Mapping mapping(spec);
  const auto at = [&](Duration time, std::string_view result) {
    Json document = Json::object();
    document.set("r", *parse_json(result));
    const auto value = mapping.map(document, kStart + time);
    return value ? value->write() : value.error();
  };
  EXPECT_EQ(at(seconds(0), "100"), R"({"f":null})") << "there is nothing to compare with";
  EXPECT_EQ(at(seconds(2), "\"0x6e\""), R"({"f":5})");
  EXPECT_EQ(at(milliseconds(2500), "111"), R"({"f":2})");
  EXPECT_EQ(at(milliseconds(2600), "\"x\""), "f: there is no number at /r");
  EXPECT_EQ(at(milliseconds(3500), "121"), R"({"f":10})") << "since the last good poll";
  EXPECT_EQ(at(seconds(5), "7"), R"({"f":null})") << "the counter began again";
  EXPECT_EQ(at(seconds(6), "8"), R"({"f":1})");
}

TEST(StreamSpec, NamesTheFirstProblem) {
  const auto problem = [](auto change) {
    StreamSpec spec = spec_with({{.name = "f", .pointer = "/r"}});
    change(spec);
    return problem_with(spec).value_or("none");
  };
  EXPECT_EQ(problem([](StreamSpec&) {}), "none");
  EXPECT_EQ(problem([](StreamSpec& s) { s.name = "welcome"; }),
            "name: expected " + std::string(kNameExpected));
  EXPECT_EQ(problem([](StreamSpec& s) { s.interval = seconds(0); }), "interval: expected more than zero");
  EXPECT_EQ(problem([](StreamSpec& s) { s.calls.clear(); }), "calls: expected 1 to 16");
  EXPECT_EQ(problem([](StreamSpec& s) { s.calls.push_back(s.calls[0]); }),
            "calls.r: is a duplicate or reserved");
  EXPECT_EQ(problem([](StreamSpec& s) { s.calls[0].name = "poll"; }),
            "calls.poll: is a duplicate or reserved");
  EXPECT_EQ(problem([](StreamSpec& s) { s.calls[0].params = "7"; }),
            "calls.r.params: expected a list or a map");
  EXPECT_EQ(problem([](StreamSpec& s) { s.fields.clear(); }), "fields: expected at least one");
  EXPECT_EQ(problem([](StreamSpec& s) { s.fields[0].pointer = "r"; }),
            "fields.f: 'r' is not a JSON pointer (RFC 6901)");
  EXPECT_EQ(problem([](StreamSpec& s) { s.fields[0].pointer = "/x"; }),
            "fields.f: '/x' does not begin with the name of a call");
  EXPECT_EQ(problem([](StreamSpec& s) { s.fields.push_back(s.fields[0]); }), "fields.f: is a duplicate");
  EXPECT_EQ(problem([](StreamSpec& s) { s.fields[0] = {.name = "f", .kind = Kind::size, .of = "g"}; }),
            "fields.f: there is no field 'g'");
  EXPECT_EQ(problem([](StreamSpec& s) { s.fields[0].min = 2, s.fields[0].max = 1; }),
            "fields.f: min is more than max");
  EXPECT_EQ(problem([](StreamSpec& s) {
              s.fields[0].kind = Kind::list;
              s.fields[0].fields = {{.name = "g", .pointer = "/x", .per_second = true}};
            }),
            "fields.f.fields.g: differences cannot be taken within a list");
  EXPECT_EQ(problem([](StreamSpec& s) { s.new_only = {.list = "f", .key = "id"}; }),
            "newOnly.list: 'f' is not a list among the fields");
}

TEST(StreamSpec, WhatWouldBeIgnoredOrFailForEverIsAProblem) {
  const auto of = [](FieldSpec field) {
    return problem_with(spec_with({std::move(field)})).value_or("none");
  };
  const Json five = Json::of(std::uint64_t{5});
  EXPECT_EQ(of({.name = "f", .pointer = "/poll/x"}), "fields.f: '/poll/x' is never there");
  for (const std::string pointer : {"/poll", "/poll/time", "/poll/latency_ms"})
    EXPECT_EQ(of({.name = "f", .pointer = pointer}), "none");
  EXPECT_EQ(of({.name = "f", .pointer = "/r", .minus = "/poll/time/x"}),
            "fields.f.minus: '/poll/time/x' is never there");
  const std::string text = "fields.f.as: is text, but the other options make it a number";
  EXPECT_EQ(of({.name = "f", .pointer = "/r", .as = FieldSpec::As::text, .scale = 2}), text);
  EXPECT_EQ(of({.name = "f", .pointer = "/r", .as = FieldSpec::As::text, .per_second = true}), text);
  EXPECT_EQ(of({.name = "f", .pointer = "/r", .as = FieldSpec::As::number, .scale = 2}), "none");
  EXPECT_EQ(of({.name = "f", .kind = Kind::count, .pointer = "/r", .as = FieldSpec::As::text}),
            "fields.f.as: needs a pointer");
  const std::string unused = "fields.f.default: is never used: the value cannot be missing";
  EXPECT_EQ(of({.name = "f", .kind = Kind::constant, .fallback = five}), unused);
  EXPECT_EQ(
      of({.name = "f", .kind = Kind::object, .fallback = five, .fields = {{.name = "g", .pointer = "/r"}}}),
      unused);
  FieldSpec list{.name = "f",
                 .kind = Kind::list,
                 .pointer = "/r",
                 .fallback = five,
                 .fields = {{.name = "g", .pointer = "/id"}}};
  EXPECT_EQ(of(list), "fields.f.default: is not a list, as the field is");
  list.fallback = Json::array();
  EXPECT_EQ(of(list), "none");
  StreamSpec spec = spec_with({list});
  spec.calls[0].method.clear();
  EXPECT_EQ(problem_with(spec), "calls.r: has no method");
  spec = spec_with({list});
  spec.fields[0].fields.push_back({.name = "c", .kind = Kind::constant});
  spec.new_only = {.list = "f", .key = "c"};
  EXPECT_EQ(problem_with(spec), "newOnly.key: 'c' is the same in every entry");
  spec.new_only->key = "g";
  EXPECT_EQ(problem_with(spec), std::nullopt);
}

TEST(StreamSpec, HasLimitsForCallsFieldsAndDepth) {
  StreamSpec spec = spec_with({});
  for (std::size_t i = 0; i < kFieldsMax; ++i)
    spec.fields.push_back({.name = std::to_string(i), .pointer = "/r"});
  for (std::size_t i = 1; i < kCallsMax; ++i)
    spec.calls.push_back({.name = std::to_string(i), .method = "m"});
  EXPECT_EQ(problem_with(spec), std::nullopt);
  StreamSpec more_calls = spec;
  more_calls.calls.push_back({.name = "x", .method = "m"});
  EXPECT_EQ(problem_with(more_calls), "calls: expected 1 to 16");
  spec.fields.push_back({.name = "x", .pointer = "/r"});
  EXPECT_EQ(problem_with(spec), "fields.x: expected at most 256 fields");

  const auto nested = [](std::size_t levels) {
    FieldSpec field{.name = "f", .pointer = "/r"};
    for (std::size_t i = 1; i < levels; ++i) field = {.name = "f", .kind = Kind::object, .fields = {field}};
    return problem_with(spec_with({field}));
  };
  EXPECT_EQ(nested(kFieldDepthMax), std::nullopt);
  EXPECT_TRUE(nested(kFieldDepthMax + 1).has_value());
}

TEST(StreamName, Has1To64Characters) {
  EXPECT_TRUE(is_stream_name("network_metrics"));
  EXPECT_TRUE(is_stream_name("a.b-C_9"));
  EXPECT_TRUE(is_stream_name(std::string(64, 'x')));
  EXPECT_FALSE(is_stream_name(std::string(65, 'x')));
  for (const std::string_view name :
       {"", "a b", "a/b", "é", "error", "notice", "hello", "ping", "subscribed"}) {
    EXPECT_FALSE(is_stream_name(name)) << name;
  }
}

std::string list_of_ids(std::uint64_t from, std::uint64_t to) {
  std::string text = "{\"l\":[";
  for (std::uint64_t i = from; i < to; ++i)
    text += (i > from ? ",{\"id\":" : "{\"id\":") + std::to_string(i) + "}";
  return text + "]}";
}

TEST(NewEntries, KeepsWhatWasNotCommittedBefore) {
  const NewOnly wanted{.list = "l", .key = "id"};
  NewEntries entries(wanted);
  Json value = *parse_json(R"({"l":[{"id":1},{"id":2},{"id":2},{"id":"2"}]})");
  EXPECT_EQ(entries.keep(value), 3U);
  EXPECT_EQ(value.write(), R"({"l":[{"id":1},{"id":2},{"id":"2"}]})");
  // It was not published: the same entries are still new.
  value = *parse_json(R"({"l":[{"id":1},{"id":2}]})");
  EXPECT_EQ(entries.keep(value), 2U);
  entries.commit();
  value = *parse_json(R"({"l":[{"id":3},{"id":1},{"id":2}]})");
  EXPECT_EQ(entries.keep(value), 1U);
  EXPECT_EQ(value.write(), R"({"l":[{"id":3}]})");
}

TEST(NewEntries, EntriesWithoutAKeyAreIdentifiedByTheirContent) {
  const NewOnly wanted{.list = "l", .key = "id"};
  NewEntries entries(wanted);
  Json value =
      *parse_json(R"({"l":[{"id":null,"v":1},{"id":null,"v":2},{"v":3},{"id":null,"v":1},{"id":"null"}]})");
  EXPECT_EQ(entries.keep(value), 4U);
  entries.commit();
  value = *parse_json(R"({"l":[{"id":null,"v":2},{"id":null,"v":4},{"v":3}]})");
  EXPECT_EQ(entries.keep(value), 1U);
  EXPECT_EQ(value.write(), R"({"l":[{"id":null,"v":4}]})");
}

TEST(NewEntries, RemembersTheLatestKeys) {
  const NewOnly wanted{.list = "l", .key = "id"};
  NewEntries entries(wanted);
  Json value = *parse_json(list_of_ids(0, NewEntries::kKeysMax));
  entries.keep(value);
  entries.commit();
  value = *parse_json(list_of_ids(0, 1));
  EXPECT_EQ(entries.keep(value), 0U) << "all of kKeysMax are remembered";
  value = *parse_json(list_of_ids(NewEntries::kKeysMax, NewEntries::kKeysMax + 1));
  EXPECT_EQ(entries.keep(value), 1U);
  entries.commit();
  value = *parse_json(list_of_ids(0, 2));
  EXPECT_EQ(entries.keep(value), 1U) << "one more, and the oldest is forgotten";
  EXPECT_EQ(value.write(), R"({"l":[{"id":0}]})");
}

// The node's list itself is longer: its entries do not become new with every poll.
TEST(NewEntries, RemembersALongerListAsAWhole) {
  const NewOnly wanted{.list = "l", .key = "id"};
  NewEntries entries(wanted);
  for (int poll = 0; poll < 3; ++poll) {
    Json value = *parse_json(list_of_ids(0, 2 * NewEntries::kKeysMax));
    EXPECT_EQ(entries.keep(value), poll == 0 ? 2 * NewEntries::kKeysMax : 0);
    entries.commit();
  }
}

}  // namespace
}  // namespace fanfare::streams
