// The parts of the admin API that need no server.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "admin/body.h"
#include "admin/connection_id.h"
#include "admin/connection_query.h"
#include "admin/json.h"
#include "admin/log_level.h"
#include "admin/problem.h"
#include "admin/render.h"
#include "admin/routes.h"
#include "jsonrpc/value.h"

namespace fanfare::admin {
namespace {

TEST(AdminJson, WritesCommasKeysAndNesting) {
  Json json;
  json.object([&] {
    json.member("a", 1).member("b", true).member("c", "x\"y").member("d", 1.5);
    json.key("e").array([&] { json.value(1).value("two").null(); });
    json.key("f").object([&] {});
    json.list("g", {"h", "i"});
    json.member("j", std::optional<double>());
  });
  EXPECT_EQ(json.text(),
            R"({"a":1,"b":true,"c":"x\"y","d":1.500,"e":[1,"two",null],"f":{},"g":["h","i"],"j":null})");
}

TEST(AdminJson, TextOfClientsIsAlwaysValid) {
  Json json;
  json.array([&] { json.value("a\xff\n\x01").value("\xe2\x82\xac"); });
  EXPECT_EQ(json.text(), "[\"a\xef\xbf\xbd\\n\\u0001\",\"\xe2\x82\xac\"]");
  EXPECT_TRUE(jsonrpc::is_valid_json(json.text()));
}

TEST(ConnectionId, IsReadAsItIsWritten) {
  const ConnectionId id{.loop = 3, .session = {.slot = 17, .generation = 42}};
  EXPECT_EQ(to_string(id), "3-17-42");
  EXPECT_EQ(parse_connection_id("3-17-42"), id);
  for (const std::string_view bad : {"", "3", "3-17", "3-17-", "3-17-42-", "3-17-42x", "-1-17-42", "3 17 42",
                                     "3-17-4294967296", "+3-17-42"}) {
    EXPECT_FALSE(parse_connection_id(bad)) << bad;
  }
}

TEST(FitsPattern, AStarStandsForAnyText) {
  EXPECT_TRUE(fits_pattern("abc", "abc"));
  EXPECT_FALSE(fits_pattern("abc", "abcd"));
  EXPECT_FALSE(fits_pattern("abc", "ABC"));
  EXPECT_TRUE(fits_pattern("*", ""));
  EXPECT_TRUE(fits_pattern("a*", "abc"));
  EXPECT_TRUE(fits_pattern("*c", "abc"));
  EXPECT_TRUE(fits_pattern("a*b*c", "a--b-b--c"));
  EXPECT_FALSE(fits_pattern("a*b*c", "a--c--b"));
  EXPECT_TRUE(fits_pattern("**", "x"));
  EXPECT_FALSE(fits_pattern("", "x"));
  // The worst case must not take exponential time.
  EXPECT_FALSE(fits_pattern(std::string(128, '*') + "b", std::string(100'000, 'a')));
}

ConnectionQuery query_of(std::string_view text) {
  auto query = ConnectionQuery::parse(text);
  EXPECT_TRUE(query) << query.error().detail;
  return query.value_or(ConnectionQuery());
}

TEST(ConnectionQuery, HasDefaultsAndReadsEverything) {
  EXPECT_EQ(query_of("").limit, ConnectionQuery::kLimitDefault);
  const ConnectionQuery all = query_of(
      "limit=7&cursor=1.5&q=a&kind=http&address=10.*&agent=b&principal=c&service=rpc&project=d&network=main%"
      "2F1&"
      "stream=e&room=f&behind_min=8&age_min=9");
  EXPECT_EQ(all.limit, 7U);
  EXPECT_EQ(all.cursor, (ConnectionQuery::Cursor{.loop = 1, .slot = 5}));
  EXPECT_EQ(all.network, "main/1");
  EXPECT_EQ(all.behind_min, 8U);
  EXPECT_EQ(all.age_min_s, 9U);
  EXPECT_EQ(query_of("sort=behind").sort, ConnectionQuery::Sort::behind);
}

TEST(ConnectionQuery, ErrorsNameTheParameterAndTheValue) {
  const auto fails = [](std::string_view text, std::string_view parameter) {
    const auto query = ConnectionQuery::parse(text);
    ASSERT_FALSE(query) << text;
    EXPECT_EQ(query.error().status, 400);
    EXPECT_EQ(query.error().parameter, parameter) << text;
  };
  EXPECT_TRUE(ConnectionQuery::parse("limit=1"));
  EXPECT_TRUE(ConnectionQuery::parse("limit=1000"));
  fails("limit=0", "limit");
  fails("limit=1001", "limit");
  fails("limit=-1", "limit");
  fails("limit=", "limit");
  fails("limit=1x", "limit");
  fails("sort=up", "sort");
  fails("cursor=5", "cursor");
  fails("cursor=1.5&sort=age", "cursor");
  fails("colour=red", "colour");
  EXPECT_TRUE(ConnectionQuery::parse("q=" + std::string(ConnectionQuery::kTextBytesMax, 'a')));
  fails("q=" + std::string(ConnectionQuery::kTextBytesMax + 1, 'a'), "q");
  std::string many;
  for (std::size_t i = 0; i < ConnectionQuery::kParametersMax; ++i) many += "&q=a";
  EXPECT_TRUE(ConnectionQuery::parse(many.substr(1)));
  EXPECT_FALSE(ConnectionQuery::parse(many.substr(1) + "&q=a"));
}

ConnectionInfo example() {
  ConnectionInfo info;
  info.id = "0-1-2";
  info.kind = "websocket";
  info.address = "203.0.113.7:50123";
  info.age_s = 12.5;
  info.user_agent = "ethers/6.13";
  info.principal = "alice";
  info.service = "rpc";
  info.project = "main";
  info.network = "main/1";
  info.topics = {"newHeads"};
  info.subscriptions = 1;
  info.bytes_behind = 1000;
  return info;
}

TEST(ConnectionQuery, FiltersByEachMember) {
  const ConnectionInfo info = example();
  for (const std::string_view fits : {"",
                                      "address=203.0.113.7",
                                      "address=203.0.113.7:50123",
                                      "address=203.*",
                                      "agent=ethers*",
                                      "principal=alice",
                                      "service=rpc",
                                      "project=main",
                                      "network=main/1",
                                      "kind=websocket",
                                      "behind_min=1000",
                                      "age_min=12",
                                      "q=ETHERS",
                                      "q=newheads",
                                      "q=0-1-2",
                                      "q=113.7",
                                      "q=*",
                                      "q=*ETH*",
                                      "q=203*7",
                                      "agent=*&principal=al*"}) {
    EXPECT_TRUE(query_of(fits).fits(info)) << fits;
  }
  for (const std::string_view not_fits :
       {"address=203.0.113.8", "agent=ethers", "principal=bob", "service=canvas", "project=other",
        "network=main/10", "kind=http", "behind_min=1001", "age_min=13", "q=web3", "q=web*3", "room=*x",
        "stream=newHeads", "agent=ethers*&principal=bob"}) {
    EXPECT_FALSE(query_of(not_fits).fits(info)) << not_fits;
  }
  ConnectionInfo v6 = info;
  v6.address = "[2001:db8::1]:443";
  EXPECT_TRUE(query_of("address=2001:db8::1").fits(v6));
  ConnectionInfo stream = info;
  stream.service = "streams";
  stream.topics = {"markets", "peers"};
  EXPECT_TRUE(query_of("stream=peers").fits(stream));
  EXPECT_FALSE(query_of("stream=peer").fits(stream));
}

TEST(AdminBody, ReadsKnownMembersOnly) {
  Body body(R"( {"enabled": false, "level":"warn", "spread_s": 2.5} )", {"enabled", "level", "spread_s"});
  bool enabled = true;
  std::string level;
  double spread = 0;
  EXPECT_TRUE(body.read("enabled", enabled));
  EXPECT_TRUE(body.read("level", level));
  EXPECT_TRUE(body.read("spread_s", spread, 0, 10));
  EXPECT_FALSE(body.problem());
  EXPECT_FALSE(enabled);
  EXPECT_EQ(level, "warn");
  EXPECT_EQ(spread, 2.5);
}

TEST(AdminBody, ProblemsNameTheMember) {
  const auto problem_of = [](std::string_view json) {
    Body body(json, {"enabled", "spread_s"});
    bool enabled = true;
    double spread = 0;
    body.require("enabled");
    body.read("enabled", enabled);
    body.read("spread_s", spread, 0, 10);
    return body.problem();
  };
  EXPECT_FALSE(problem_of(R"({"enabled":true,"spread_s":10})"));
  EXPECT_EQ(problem_of(R"({"enabled":true,"spread_s":10.5})")->parameter, "spread_s");
  EXPECT_EQ(problem_of(R"({"enabled":true,"spread_s":"5"})")->parameter, "spread_s");
  EXPECT_EQ(problem_of(R"({"enabled":1})")->parameter, "enabled");
  EXPECT_EQ(problem_of(R"({"enabled":1})")->value, "1");
  EXPECT_EQ(problem_of("")->parameter, "enabled");
  EXPECT_EQ(problem_of(R"({"enabled":true,"more":1})")->parameter, "more");
  EXPECT_TRUE(problem_of("{\"enabled\":true"));
  EXPECT_TRUE(problem_of("[true]"));
}

TEST(AdminProblem, IsProblemJsonWithTheOffendingValue) {
  const session::HttpResponse response = response_of({.status = 400,
                                                      .detail = "no",
                                                      .parameter = "limit",
                                                      .value = std::string(kProblemValueBytesMax + 1, 'x')});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(
      *jsonrpc::string_value(*jsonrpc::member(response.body.substr(0, response.body.size() - 1), "title")),
      "Bad Request");
  const auto value = jsonrpc::string_value(
      *jsonrpc::member(std::string_view(response.body).substr(0, response.body.size() - 1), "value"));
  EXPECT_EQ(value->size(), kProblemValueBytesMax);
}

TEST(AdminLogLevel, NamesAreThoseOfTheConfiguration) {
  const std::string before(log_level_name());
  for (const std::string_view name : {"trace", "debug", "info", "warn", "error", "off"}) {
    ASSERT_TRUE(log_level_of(name)) << name;
    log::set_level(*log_level_of(name));
    EXPECT_EQ(log_level_name(), name);
  }
  EXPECT_FALSE(log_level_of("loud"));
  log::set_level(*log_level_of(before));
}

// The names of the members, in order.
std::vector<std::string> members_of(std::string_view object) {
  std::vector<std::string> names;
  for (const jsonrpc::Member& member : jsonrpc::object_members(object)) names.emplace_back(member.name);
  return names;
}

TEST(OpenApi, HasEveryRouteAndEverySchemaThatIsNamed) {
  const std::string text = openapi_text();
  ASSERT_TRUE(jsonrpc::is_valid_json(text));
  const std::string_view paths = *jsonrpc::member(text, "paths");
  const std::string_view schemas = *jsonrpc::member(*jsonrpc::member(text, "components"), "schemas");
  std::set<std::string> ids;
  std::size_t operations = 0;
  for (const Route& route : routes()) {
    const auto path = jsonrpc::member(paths, route.path);
    ASSERT_TRUE(path) << route.path;
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
    const auto operation = jsonrpc::member(*path, method);
    ASSERT_TRUE(operation) << route.method << " " << route.path;
    EXPECT_EQ(jsonrpc::string_value(*jsonrpc::member(*operation, "operationId")), route.id);
    EXPECT_TRUE(ids.emplace(route.id).second) << route.id << " twice";
    EXPECT_TRUE(jsonrpc::member(schemas, route.answer)) << route.answer;
    if (!route.body.empty()) EXPECT_TRUE(jsonrpc::member(schemas, route.body)) << route.body;
    // Parameters of the path, then those of the query, each with a description.
    const auto parameters = *jsonrpc::member(*operation, "parameters");
    const auto spaces = static_cast<std::size_t>(std::ranges::count(route.query, ' '));
    const auto braces = static_cast<std::size_t>(std::ranges::count(route.path, '{'));
    EXPECT_EQ(jsonrpc::element_count(parameters), braces + (route.query.empty() ? 0 : spaces + 1));
    for (const std::string_view parameter : jsonrpc::array_elements(parameters)) {
      if (jsonrpc::string_value(*jsonrpc::member(parameter, "in")) == "query")
        EXPECT_TRUE(jsonrpc::member(parameter, "description")) << parameter;
    }
    ++operations;
  }
  std::size_t documented = 0;
  for (const jsonrpc::Member& path : jsonrpc::object_members(paths))
    documented += members_of(path.value).size();
  EXPECT_EQ(documented, operations) << "the document has operations that are no routes";
}

// The members that are written are those that the schema requires, in its order.
void expect_schema(std::string_view schema, const std::string& json) {
  const std::string text = openapi_text();
  const std::string_view schemas = *jsonrpc::member(*jsonrpc::member(text, "components"), "schemas");
  const auto there = jsonrpc::member(schemas, schema);
  ASSERT_TRUE(there) << schema;
  EXPECT_EQ(members_of(json), members_of(*jsonrpc::member(*there, "properties"))) << schema;
}

TEST(OpenApi, SchemasHaveTheMembersThatAreWritten) {
  expect_schema("Connection", text_of(ConnectionInfo{}));
  expect_schema("ConnectionPage", text_of(ConnectionPage{}, true));
  expect_schema("Upstream", text_of(UpstreamInfo{}));
  expect_schema("Network", text_of(NetworkInfo{}));
  expect_schema("Stream", text_of(StreamInfo{}));
  expect_schema("Room", text_of(RoomInfo{}));
  expect_schema("Drain", text_of(DrainStatus{}));
  expect_schema("Status", text_of(ProcessInfo{}, DrainStatus{}));
  expect_schema("Reload", text_of(ReloadInfo{}));
}

// Each parameter that the document names for the list of connections is one that the parser knows, and the other way round.
TEST(OpenApi, ParametersOfTheListAreThoseOfTheParser) {
  for (const Route& route : routes()) {
    if (route.id != "listConnections") continue;
    std::string_view names = route.query;
    while (!names.empty()) {
      const std::size_t space = names.find(' ');
      const std::string name(names.substr(0, space));
      names.remove_prefix(space == std::string_view::npos ? names.size() : space + 1);
      const std::string value = name == "cursor" ? "0.0" : name == "sort" ? "age" : "1";
      EXPECT_TRUE(ConnectionQuery::parse(name + "=" + value)) << name;
    }
  }
}

}  // namespace
}  // namespace fanfare::admin
