#include "eth/block_requests.h"

#include <memory>

#include "jsonrpc/value.h"

namespace fanfare::eth {

std::expected<HeaderPtr, std::string> read_block(std::string_view json) {
  if (jsonrpc::kind_of(json) == jsonrpc::Kind::null)
    return std::unexpected("the node has no such block (yet)");
  auto header = parse_header(json);
  if (!header) return std::unexpected(std::move(header.error()));
  return std::make_shared<const Header>(std::move(*header));
}

}  // namespace fanfare::eth
