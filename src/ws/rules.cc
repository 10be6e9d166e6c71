#include "ws/rules.h"

#include <algorithm>

namespace fanfare::ws {

const RuleInfo* find_rule(std::string_view name) {
  const auto found = std::ranges::find(kRules, name, &RuleInfo::name);
  return found == kRules.end() ? nullptr : &*found;
}

}  // namespace fanfare::ws
