#pragma once
// Which names are granted: patterns that allow and patterns that deny. A pattern is a name, or a prefix of one
// followed by '*'.
//
//   allow {"eth_*"} deny {"eth_get*"}    eth_call: granted; eth_getLogs: denied; net_version: denied
//
// The longest matching pattern decides; a tie is denied, and a name without a match is denied. A denying pattern
// ignores the case of ASCII letters, an allowing one matches exactly: whatever reads the name later may or may
// not tell "eth_Call" from "eth_call". Names are compared after escapes were decoded.
//
// Pure; any thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::access {

struct NameRules {
  std::vector<std::string> allow;
  std::vector<std::string> deny;

  // Always false for an empty name, and for one with other characters than visible ASCII.
  bool allows(std::string_view name) const;
  // The length of the longest allowing pattern that matches, '*' included, if allows(name).
  std::optional<std::size_t> allowed_by(std::string_view name) const;
  bool is_empty() const { return allow.empty() && deny.empty(); }

  bool operator==(const NameRules&) const = default;
};

// Visible ASCII without commas, with '*' only at the end.
bool is_name_pattern(std::string_view text);
inline constexpr std::string_view kNamePatternExpected = "a name, or the beginning of one and a '*'";

}  // namespace fanfare::access
