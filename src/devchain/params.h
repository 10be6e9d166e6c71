#pragma once
// The positional parameters of one call. Each reader returns the value, or a harmless one and remembers the
// first problem. A method reads all parameters, checks error() once, and only then acts.

#include <memory>
#include <optional>
#include <string>

#include "devchain/log_filter.h"
#include "devchain/options.h"

namespace fanfare::devchain {

// Names a block: a tag, a number, or a hash (EIP-1898).
struct BlockReference {
  enum class Kind { latest, earliest, pending, safe, finalized, number, hash };
  Kind kind = Kind::latest;
  std::uint64_t number = 0;
  Hash hash{};
  bool require_canonical = false;
};

// The object of eth_call, eth_estimateGas and eth_sendTransaction; absent members are empty.
struct CallRequest {
  std::optional<Address> from;
  std::optional<Address> to;
  std::optional<std::uint64_t> gas;
  std::optional<Wei> gas_price;
  std::optional<Wei> fee_max;
  std::optional<Wei> priority_fee_max;
  std::optional<Wei> value;
  std::optional<std::uint64_t> nonce;
  std::optional<std::uint64_t> chain_id;
  Blob data;
};

struct LogRequest {
  LogFilter filter;
  std::optional<BlockReference> from;
  std::optional<BlockReference> to;
  std::optional<Hash> block_hash;
};

class Params {
 public:
  // "" and null mean no parameters.
  explicit Params(std::string_view json);
  ~Params();
  Params(const Params&) = delete;
  Params& operator=(const Params&) = delete;

  std::size_t size() const;
  // True if the parameter is present and not null.
  bool has(std::size_t index) const;
  void at_most(std::size_t count);

  Address address(std::size_t index);
  Hash hash(std::size_t index);
  // A storage slot: 32 bytes, or a shorter number.
  Hash slot(std::size_t index);
  Blob bytes(std::size_t index);
  std::string text(std::size_t index);
  bool boolean(std::size_t index, bool otherwise);
  // A quantity in hexadecimal, or a JSON number.
  std::uint64_t number(std::size_t index, std::optional<std::uint64_t> otherwise = std::nullopt);
  BlockReference block(std::size_t index);
  // A number or a tag, but no hash.
  BlockReference block_number(std::size_t index);
  BlockReference block_or_latest(std::size_t index);
  CallRequest call(std::size_t index);
  LogRequest logs(std::size_t index);
  std::vector<double> numbers(std::size_t index);
  std::vector<Hash> slots(std::size_t index);

  const std::optional<CallError>& error() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare::devchain
