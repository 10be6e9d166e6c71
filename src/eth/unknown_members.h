#pragma once
// The members of a node's object that this version has never heard of: a new fork's, or a chain's own. They
// pass through to clients byte for byte, after the known ones and ordered by name, so that two nodes that
// agree yield the same bytes.
//
// What a node sends must not fill our memory: of members past kBytesMax the later ones, by name, are left
// out.

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

  // `known`: names that are never taken in, however they are written. It outlives this.
  explicit UnknownMembers(std::span<const std::string_view> known) : known_(known) {}

  // Views of the member are kept. The last of two with the same name stands.
  void add(const jsonrpc::Member& member);

  // Appends `,"name":value` for each.
  void append_to(std::string& json);

 private:
  std::span<const std::string_view> known_;
  std::vector<jsonrpc::Member> members_;
};

}  // namespace fanfare::eth
