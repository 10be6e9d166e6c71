#include "eth/unknown_members.h"

#include <algorithm>

#include "jsonrpc/scan.h"

namespace fanfare::eth {

void UnknownMembers::add(const jsonrpc::Member& member) {
  std::string plain;
  // Escapes must not let a member in under a known name.
  if (member.name_escaped) jsonrpc::append_unescaped(plain, member.name);
  const std::string_view name = member.name_escaped ? std::string_view(plain) : member.name;
  if (std::ranges::find(known_, name) == known_.end()) members_.push_back(member);
}

void UnknownMembers::append_to(std::string& json) {
  std::ranges::stable_sort(members_, {}, &jsonrpc::Member::name);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const jsonrpc::Member& member = members_[i];
    if (i + 1 < members_.size() && members_[i + 1].name == member.name) continue;
    bytes += member.name.size() + member.value.size();
    if (bytes > kBytesMax) return;
    json.append(",\"").append(member.name).append("\":").append(member.value);
  }
}

}  // namespace fanfare::eth
