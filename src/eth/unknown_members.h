#pragma once
// The members of a node's object that this version does not know: a new fork's, or a chain's own. They are
// passed to clients byte for byte, after the known ones and ordered by name. So two nodes that agree yield
// the same bytes.
//
// A node's answer must not exhaust memory: the members beyond kBytesMax, ordered by name, are left out.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jsonrpc/value.h"

namespace fanfare::eth {

class UnknownMembers {
 public:
  static constexpr std::size_t kBytesMax = std::size_t{64} << 10;  // names and values, of one object

  // `known`: names that are never added, however they are escaped. It must outlive this object.
  explicit UnknownMembers(std::span<const std::string_view> known) : known_(known) {}

  // Keeps views of the member. The last of two with the same name wins.
  void add(const jsonrpc::Member& member);

  // Appends `,"name":value` for each.
  void append_to(std::string& json);

 private:
  std::span<const std::string_view> known_;
  std::vector<jsonrpc::Member> members_;
};

}  // namespace fanfare::eth
