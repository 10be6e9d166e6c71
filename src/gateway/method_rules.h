#pragma once
// Which JSON-RPC methods a network's clients may call. Pure and immutable.
//
// A pattern is a method's name, or a prefix of one followed by '*'. Of the project's matching patterns, the
// longest decides; a tie is denied. If none matches, the built-in rules decide:
//
//   refused    methods that administer or change a node (admin_*, personal_*, debug_setHead, ...)
//   developer  methods for development nodes (anvil_*, evm_*, ...), and those that may use keys of a node: wallet_*,
//              and in any namespace sign* and send*, unless known to send what the client has signed: allowed if gateway and nodes are all on loopback,
//              and the request is not from a page of unknown origin
//   open       everything else
//
// Known nodes compare names exactly, but others may not. So a denying pattern ignores case, while an allowing
// one matches only exactly.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// Letters, digits and the punctuation used in method names, with '*' only at the end.
bool is_method_pattern(std::string_view text);
inline constexpr std::string_view kMethodPatternExpected =
    "the name of a method, or the beginning of one and a '*', such as debug_trace*";

class MethodRules {
 public:
  explicit MethodRules(const MethodPlan& plan) : plan_(plan) {}

  // Without access control. `developer`: the caller may use the developer methods.
  // Never allowed: a name with other characters than visible ASCII, which some node may read as another name, and the
  // gateway's own namespace, whose parameters may be secrets.
  bool allows(std::string_view method, bool developer) const;
  // For a caller with roles that grant the method: the text of the refusal, or nothing. `named`: a role grants it by its
  // name or namespace, so the built-in rules do not apply. What the project allows decides what a role can grant at
  // all, and grants nothing itself.
  std::optional<std::string> refusal_of_role(std::string_view method, bool named) const;
  // Methods of debug_: for callers with roles, they need a role that names them.
  static bool needs_a_name(std::string_view method);
  // The error text for a method that is not allowed; names the setting.
  static std::string refusal(std::string_view method);

 private:
  enum class Kind : std::uint8_t { open, developer, refused };
  // By the built-in rules.
  static Kind kind_of(std::string_view method);

  MethodPlan plan_;
};

// Whether all nodes of a network are on this machine, or in-process.
bool is_on_loopback(const Backend& backend);

}  // namespace fanfare::gateway
