#include "access/principal.h"

#include <gtest/gtest.h>

#include <array>

namespace fanfare::access {
namespace {

constexpr std::string_view kToken = "0x00000000000000000000000000000000000000aa";
constexpr std::string_view kVault = "0x00000000000000000000000000000000000000bb";

Role reader() {
  return {.name = "reader",
          .methods = {.allow = {"eth_*"}, .deny = {"eth_sendRaw*"}},
          .projects = {.allow = {"main"}}};
}

TEST(NameRules, NothingIsGrantedThatNoPatternAllows) {
  EXPECT_FALSE(NameRules{}.allows("eth_call"));
  EXPECT_FALSE((NameRules{.deny = {"eth_call"}}).allows("eth_getLogs"));
  EXPECT_TRUE((NameRules{.allow = {"eth_call"}}).allows("eth_call"));
  EXPECT_FALSE((NameRules{.allow = {"eth_call"}}).allows("eth_callMany"));
  EXPECT_FALSE((NameRules{.allow = {"*"}}).allows(""));
}

TEST(NameRules, TheLongestPatternDecidesAndATieIsDenied) {
  const NameRules rules{.allow = {"*", "eth_getLogs"}, .deny = {"eth_get*"}};
  EXPECT_TRUE(rules.allows("net_version"));
  EXPECT_FALSE(rules.allows("eth_getBalance"));
  EXPECT_TRUE(rules.allows("eth_getLogs"));
  EXPECT_FALSE((NameRules{.allow = {"eth_*"}, .deny = {"eth_*"}}).allows("eth_call"));
}

TEST(NameRules, DenyIgnoresCaseAndAllowDoesNot) {
  const NameRules rules{.allow = {"*"}, .deny = {"admin_*"}};
  EXPECT_FALSE(rules.allows("Admin_peers"));
  EXPECT_FALSE(rules.allows("ADMIN_PEERS"));
  EXPECT_FALSE((NameRules{.allow = {"eth_call"}}).allows("Eth_call"));
}

TEST(NameRules, OnlyVisibleAsciiIsEverAllowed) {
  const NameRules all{.allow = {"*"}};
  for (const std::string_view name : {" eth_call", "eth_call ", "eth_call\n", "eth_c\xc3\xa4ll", "\x7f"}) {
    EXPECT_FALSE(all.allows(name)) << name;
  }
  EXPECT_FALSE(all.allows(std::string_view("eth\0call", 8)));
}

TEST(NameRules, APatternHasItsStarAtTheEndOnly) {
  EXPECT_TRUE(is_name_pattern("*"));
  EXPECT_TRUE(is_name_pattern("eth_*"));
  for (const std::string_view bad : {"", "a*b", "**", "a b", "a,b", "\xc3\xa4"}) {
    EXPECT_FALSE(is_name_pattern(bad)) << bad;
  }
}

TEST(Principal, WithoutRolesNothingIsGranted) {
  const Principal nobody{.name = "nobody", .roles = {}};
  EXPECT_FALSE(nobody.may({.method = "eth_call"}));
  EXPECT_FALSE(nobody.may({}));
  EXPECT_EQ(nobody.label(), "none");
}

TEST(Principal, OneRoleMustGrantAllOfAnAction) {
  Role writer{.name = "writer", .methods = {.allow = {"eth_sendRaw*"}}, .projects = {.allow = {"test"}}};
  const Principal both{.name = "a", .roles = {reader(), writer}};
  EXPECT_TRUE(both.may({.method = "eth_call", .project = "main", .network = "1"}));
  EXPECT_TRUE(both.may({.method = "eth_sendRawTransaction", .project = "test"}));
  EXPECT_FALSE(both.may({.method = "eth_sendRawTransaction", .project = "main"}));
  EXPECT_FALSE(both.may({.method = "eth_call", .project = "test"}));
  EXPECT_FALSE(both.may({.topic = "newHeads", .project = "main"}));
}

TEST(Principal, NetworksNarrowARole) {
  Role role = reader();
  role.networks.allow = {"1"};
  const Principal one{.name = "a", .roles = {role}};
  EXPECT_TRUE(one.may({.method = "eth_call", .project = "main", .network = "1"}));
  EXPECT_FALSE(one.may({.method = "eth_call", .project = "main", .network = "137"}));
}

TEST(Principal, DeniedContractsLeaveTheOthers) {
  Role role = reader();
  role.contracts.deny = {std::string(kVault)};
  const Principal one{.name = "a", .roles = {role}};
  const std::array<std::string, 1> token{std::string(kToken)};
  const std::array<std::string, 2> both{std::string(kToken), std::string(kVault)};
  EXPECT_TRUE(one.may({.method = "eth_call", .project = "main", .contracts = token}));
  EXPECT_FALSE(one.may({.method = "eth_call", .project = "main", .contracts = both}));
  EXPECT_FALSE(one.may({.method = "eth_getLogs", .project = "main", .every_contract = true}));
  EXPECT_TRUE(one.restricts_contracts());
}

TEST(Principal, AllowedContractsAreTheOnlyOnes) {
  Role role = reader();
  role.contracts.allow = {std::string(kToken)};
  const Principal one{.name = "a", .roles = {role}};
  const std::array<std::string, 1> token{std::string(kToken)};
  const std::array<std::string, 1> vault{std::string(kVault)};
  EXPECT_TRUE(one.may({.method = "eth_call", .project = "main", .contracts = token}));
  EXPECT_FALSE(one.may({.method = "eth_call", .project = "main", .contracts = vault}));
}

TEST(Principal, AWildcardDoesNotNameANamespace) {
  const auto holds = [](std::string pattern) {
    return Principal{.name = "a", .roles = {{.name = "r", .methods = {.allow = {std::move(pattern)}}}}};
  };
  constexpr std::size_t kPrefix = std::string_view("admin_").size();
  EXPECT_FALSE(holds("*").names({.method = "admin_peers"}, kPrefix));
  EXPECT_FALSE(holds("a*").names({.method = "admin_peers"}, kPrefix));
  EXPECT_FALSE(holds("admin*").names({.method = "admin_peers"}, kPrefix));
  EXPECT_TRUE(holds("admin_*").names({.method = "admin_peers"}, kPrefix));
  EXPECT_TRUE(holds("admin_peers").names({.method = "admin_peers"}, kPrefix));
  EXPECT_FALSE(holds("admin_*").names({.method = "Admin_peers"}, kPrefix));
}

TEST(Principal, ExpiresAtItsInstant) {
  const WallTime end{std::chrono::seconds(100)};
  const Principal one{.name = "a", .roles = {}, .expires_at = end};
  EXPECT_FALSE(one.is_expired(end - Duration(1)));
  EXPECT_TRUE(one.is_expired(end));
  EXPECT_FALSE((Principal{.name = "a", .roles = {}}).is_expired(end));
}

TEST(Principal, NamesAreSafeForLogs) {
  EXPECT_EQ(principal_name("alice\nlevel=error \xc3\xa4"), "alice?level=error???");
  EXPECT_EQ(principal_name(std::string(65, 'a')).size(), kPrincipalNameMax);
}

}  // namespace
}  // namespace fanfare::access
