#pragma once
// The calls for blocks that a head poller has in flight, and those that it makes again. No I/O. One thread.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eth/announced_chain.h"
#include "eth/header.h"
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

// The block of an answer, or one line that says why it has none.
std::expected<HeaderPtr, std::string> read_block(std::string_view json);

struct BlockRequest {
  std::string_view method;     // static
  std::string which;           // a tag, a quantity or a hash
  std::uint64_t number = 0;    // of the block, if it is requested by number
  std::uint64_t at_least = 0;  // a node needs this block to answer; zero: any node
  std::uint32_t failed = 0;    // tries
};

inline BlockRequest block_by_tag(std::string_view tag) {
  return {.method = "eth_getBlockByNumber", .which = std::string(tag)};
}
inline BlockRequest block_by_number(std::uint64_t number, std::uint64_t at_least = 0) {
  return {
      .method = "eth_getBlockByNumber", .which = to_quantity(number), .number = number, .at_least = at_least};
}
// `child`: the number of the block whose parent it is.
inline BlockRequest block_by_hash(const Hash256& hash, std::uint64_t child) {
  return {.method = "eth_getBlockByHash", .which = to_hex(hash), .at_least = child};
}

class BlockRequests {
 public:
  // `call_ids` must outlive it.
  explicit BlockRequests(jsonrpc::CallIds& call_ids) : call_ids_(call_ids) {}

  void send(BlockRequest request) {
    const std::uint64_t id = call_ids_.next();
    calls_.push_back({.id = id,
                      .method = request.method,
                      .params_json = "[\"" + request.which + "\",false]",
                      .attempt = request.failed,
                      .block = request.at_least});
    in_flight_.emplace(id, std::move(request));
  }
  // Empty: the call is not, or no longer, one of these.
  std::optional<BlockRequest> take_answered(std::uint64_t call_id) {
    auto found = in_flight_.extract(call_id);
    if (found.empty()) return std::nullopt;
    return std::move(found.mapped());
  }
  std::size_t in_flight() const { return in_flight_.size(); }
  // Their answers count no more.
  void forget() { in_flight_.clear(); }

  std::vector<jsonrpc::UpstreamCall> take_calls() { return std::exchange(calls_, {}); }

 private:
  jsonrpc::CallIds& call_ids_;
  std::map<std::uint64_t, BlockRequest> in_flight_;  // by id
  std::vector<jsonrpc::UpstreamCall> calls_;
};

}  // namespace fanfare::eth
