// What may be registered, and what a registry says about itself.

#include "rpc/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "jsonrpc/value.h"
#include "rpc/describe.h"

namespace fanfare::rpc {
namespace {

using testing::HasSubstr;

MethodEntry method(std::string name, std::vector<Parameter> parameters = {}) {
  return {.name = std::move(name),
          .about = {.description = "It \"works\"."},
          .parameters = std::move(parameters),
          .result_schema = "true",
          .bind = {}};
}
Parameter parameter(std::string name, bool required = true) {
  return {.name = std::move(name), .description = "", .schema = R"({"type":"string"})", .required = required};
}

TEST(Registry, RefusesWhatCannotBeServed) {
  const struct {
    MethodEntry entry;
    const char* problem;
  } cases[] = {
      {method("known"), "the method \"known\": registered twice"},
      {method(""), "the method \"\": a name has visible ASCII characters, at least one"},
      {method("a b"), "the method \"a b\": a name has visible ASCII characters, at least one"},
      {method("\xc3\xa4"), "the method \"\xc3\xa4\": a name has visible ASCII characters, at least one"},
      {method("rpc.own"), "the method \"rpc.own\": names with rpc. are reserved"},
      {method("m", {parameter("x"), parameter("y"), parameter("x")}),
       "the method \"m\": two parameters with the name x"},
      {method("m", {parameter("")}), "the method \"m\": a parameter without a name"},
      {method("m", {parameter("x", false), parameter("y")}),
       "the method \"m\": y is required, but follows an optional one"},
  };
  for (const auto& [entry, problem] : cases) {
    Registry registry({});
    ASSERT_TRUE(registry.add(method("known")));
    const auto added = registry.add(entry);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().message, problem);
    EXPECT_EQ(added.error().kind, Error::Kind::bad_option);
    EXPECT_EQ(registry.problem(), problem);
    EXPECT_EQ(registry.methods().size(), 1U);
  }
}

TEST(Registry, TheFirstOfTwoMethodsStays) {
  Registry registry({});
  ASSERT_TRUE(registry.add(method("m", {parameter("first")})));
  ASSERT_FALSE(registry.add(method("m", {parameter("second")})));
  EXPECT_EQ(registry.find("m")->parameters.front().name, "first");
  EXPECT_EQ(registry.find("M"), nullptr);
}

TEST(Registry, TakesNothingOnceItIsServed) {
  Registry registry({});
  registry.freeze();
  EXPECT_FALSE(registry.add(method("late")));
  EXPECT_FALSE(registry.add_event("late", {}));
  EXPECT_THAT(registry.problem(), HasSubstr("registered after serve()"));
}

TEST(Registry, EventsHaveOneNameEach) {
  Registry registry({});
  ASSERT_TRUE(registry.add_event("block", {}));
  EXPECT_FALSE(registry.add_event("block", {}));
  EXPECT_FALSE(registry.add_event("", {}));
}

TEST(Registry, HistoryOfEventsHasNoNegativeAge) {
  constexpr std::chrono::milliseconds kNegative(-1);
  for (const auto& [about, problem] :
       {std::pair(RpcEvent{.history = {.messages_max = 1, .age_max = kNegative}},
                  "the event \"block\": history.age_max: not below zero"),
        std::pair(RpcEvent{.stored = {.messages_max = 1, .age_max = kNegative}},
                  "the event \"block\": stored.age_max: not below zero")}) {
    Registry registry({});
    const auto added = registry.add_event("block", {.about = about, .schema = "true"});
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().message, problem);
    EXPECT_EQ(registry.problem(), problem);
  }
}

TEST(Registry, DescribesItselfAsOpenRpc) {
  Registry registry({.title = "a \"node\"", .version = "2"});
  Parameter depth{.name = "depth",
                  .description = "",
                  .schema = R"({"type":"integer"})",
                  .required = false,
                  .fallback_json = "6"};
  MethodEntry entry = method("look", {parameter("at"), depth});
  entry.about.permission = "read";
  ASSERT_TRUE(registry.add(entry));
  ASSERT_TRUE(registry.add_event("block",
                                 {.about = {.description = "New.", .permission = "read"}, .schema = "true"}));
  const std::string text = open_rpc_document(registry);
  ASSERT_TRUE(jsonrpc::is_valid_json(text)) << text;
  EXPECT_EQ(
      text,
      R"({"openrpc":"1.3.2","info":{"title":"a \"node\"","version":"2"},"methods":[)"
      R"({"name":"look","description":"It \"works\".","paramStructure":"either","params":[)"
      R"({"name":"at","description":"","required":true,"schema":{"type":"string"}},)"
      R"({"name":"depth","description":"","required":false,"schema":{"type":"integer","default":6}}],)"
      R"("result":{"name":"result","schema":true},"x-permission":"read"}],"x-notifications":[)"
      R"({"name":"block","description":"New.","broadcast":false,"schema":true,"x-permission":"read"}]})");
}

TEST(Registry, HelpsPeople) {
  Registry registry({});
  ASSERT_TRUE(registry.add(method("look", {parameter("at"), parameter("depth", false)})));
  ASSERT_TRUE(registry.add(method("run")));
  EXPECT_EQ(help_text(registry, ""), "look at [depth]\nrun\n");
  EXPECT_THAT(help_text(registry, "look").value(), HasSubstr("look at [depth]\n\nIt \"works\".\n"));
  EXPECT_EQ(help_text(registry, "none"), std::nullopt);
}

TEST(Registry, APermissionIsNeededOnceCallersAreAuthenticated) {
  const RpcIdentity reader{.name = "r", .permissions = {"read"}};
  const RpcIdentity all{.name = "a", .permissions = {"*"}};
  Registry registry({.authenticate = [](const Request&) { return RpcIdentity(); }});
  EXPECT_TRUE(registry.permits(&reader, ""));
  EXPECT_TRUE(registry.permits(&reader, "read"));
  EXPECT_FALSE(registry.permits(&reader, "reads"));
  EXPECT_FALSE(registry.permits(&reader, "write"));
  EXPECT_TRUE(registry.permits(&all, "write"));
  EXPECT_FALSE(registry.permits(nullptr, "read"));
  EXPECT_TRUE(Registry({}).permits(nullptr, "read"));
}

}  // namespace
}  // namespace fanfare::rpc
