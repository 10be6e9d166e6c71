#pragma once
// Which JSON-RPC methods a network's clients may call. Pure and immutable.
//
// A pattern is a method's name, or the beginning of one with a '*' behind it. Of the patterns of the project
// that fit, the longest decides; a tie is denied. Where none fits, the built-in rules decide:
//
//   refused    what administers a node or changes it (admin_*, personal_*, debug_setHead, ...)
//   developer  what plays with a development node (anvil_*, evm_*, ...), and what uses keys that a node holds
//              (eth_sendTransaction, eth_sign, ...): open where gateway and nodes are all on loopback, and
//              the request is not of a page of unknown origin
//   open       everything else
//
// Nodes compare names exactly, as far as is known, but not all of them are ours to know: a denying pattern
// fits whatever the case of the letters, an allowing one only exactly.

#include <string>
#include <string_view>
#include <vector>

#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// Letters, digits and the marks that stand in method names, with '*' at most at the end.
bool is_method_pattern(std::string_view text);
inline constexpr std::string_view kMethodPatternExpected =
    "the name of a method, or the beginning of one and a '*', such as debug_trace*";

class MethodRules {
 public:
  explicit MethodRules(const MethodPlan& plan) : plan_(plan) {}

  // `developer`: the caller may use the developer methods.
  // A name that is not made of visible ASCII is never allowed: some node may see another name in it.
  bool allows(std::string_view method, bool developer) const;
  // What a caller is told about a method that is not allowed; names the setting.
  static std::string refusal(std::string_view method);

 private:
  MethodPlan plan_;
};

// Whether all nodes of a network are on this machine, or in this process.
bool is_on_loopback(const Backend& backend);

}  // namespace fanfare::gateway
