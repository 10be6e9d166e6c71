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

  // `developer`: the caller may use the developer methods. `named`: a role of the caller grants this method by
  // its name or namespace, so the built-in rules do not apply; the project's own patterns do.
  // A name with other characters than visible ASCII is never allowed: some node may read it as another name.
  bool allows(std::string_view method, bool developer, bool named = false) const;
  // Methods of debug_: for callers with roles, they need a role that names them.
  static bool needs_a_name(std::string_view method);
  // The error text for a method that is not allowed; names the setting.
  static std::string refusal(std::string_view method);

 private:
  MethodPlan plan_;
};

// Whether all nodes of a network are on this machine, or in-process.
bool is_on_loopback(const Backend& backend);

}  // namespace fanfare::gateway
