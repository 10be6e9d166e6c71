#include <algorithm>
#include <array>
#include <charconv>

#include "devchain/methods.h"
#include "devchain/render.h"

namespace fanfare::devchain {
namespace {

constexpr Wei kSuggestedTip = kGwei;
constexpr std::uint64_t kFeeHistoryMax = 1024;

Answer gas_price(Chain& chain, Params&) {
  return json_string(quantity(chain.base_fee() + kSuggestedTip));
}
Answer priority_fee(Chain&, Params&) {
  return json_string(quantity(kSuggestedTip));
}
Answer blob_base_fee(Chain&, Params&) {
  return "\"0x1\"";
}

std::string render_ratio(std::uint64_t part, std::uint64_t whole) {
  std::array<char, 32> text{};
  const double ratio = static_cast<double>(part) / static_cast<double>(whole);
  const auto end = std::to_chars(text.data(), text.data() + text.size(), ratio).ptr;
  return {text.data(), end};
}

// The tips at the percentiles of the block's gas, cheapest transaction first.
std::string render_rewards(const Block& block, const std::vector<double>& percentiles) {
  struct Paid {
    Wei tip;
    std::uint64_t gas;
  };
  std::vector<Paid> paid;
  for (const Receipt& receipt : block.receipts) {
    const Wei tip = receipt.effective_gas_price - block.header.base_fee_per_gas.value_or(0);
    paid.push_back({.tip = tip, .gas = receipt.gas_used});
  }
  std::ranges::sort(paid, {}, &Paid::tip);
  std::vector<std::string> rewards;
  for (const double percentile : percentiles) {
    const double wanted = static_cast<double>(block.header.gas_used) * percentile / 100;
    Wei tip = 0;
    double passed = 0;
    for (const Paid& one : paid) {
      tip = one.tip;
      passed += static_cast<double>(one.gas);
      if (passed >= wanted) break;
    }
    rewards.push_back(json_string(quantity(tip)));
  }
  return json_array(rewards);
}

Answer fee_history(Chain& chain, Params& params) {
  const std::uint64_t asked = params.number(0);
  const BlockReference reference = params.block(1);
  const std::vector<double> percentiles = params.numbers(2);
  FANFARE_PARAMS_OK(params);
  double previous = 0;
  for (const double percentile : percentiles) {
    if (percentile < previous || percentile > 100) return failure(-32000, "invalid reward percentile");
    previous = percentile;
  }
  // The pending block's fees are not history yet.
  const bool pending = reference.kind == BlockReference::Kind::pending;
  const BlockPtr newest = pending ? chain.ledger().head() : find_block(chain, reference);
  if (newest == nullptr) return failure(-32000, "request beyond head block");
  if (newest->number() < chain.ledger().oldest()) return failure(4444, "pruned history unavailable");
  const std::uint64_t kept = newest->number() - chain.ledger().oldest() + 1;
  const std::uint64_t count = std::min({asked, kFeeHistoryMax, kept});
  if (count == 0) return R"({"oldestBlock":"0x0","gasUsedRatio":null})";

  std::vector<std::string> base_fees;
  std::vector<std::string> ratios;
  std::vector<std::string> rewards;
  for (std::uint64_t number = newest->number() + 1 - count; number <= newest->number(); ++number) {
    const BlockPtr block = chain.ledger().by_number(number);
    base_fees.push_back(json_string(quantity(block->header.base_fee_per_gas.value_or(0))));
    ratios.push_back(render_ratio(block->header.gas_used, block->header.gas_limit));
    rewards.push_back(render_rewards(*block, percentiles));
  }
  base_fees.push_back(json_string(quantity(next_base_fee(newest->header))));
  JsonObject json;
  json.number("oldestBlock", newest->number() + 1 - count);
  if (!percentiles.empty()) json.raw("reward", json_array(rewards));
  json.raw("baseFeePerGas", json_array(base_fees))
      .raw("gasUsedRatio", json_array(ratios))
      .raw("baseFeePerBlobGas", json_array(std::vector<std::string>(count + 1, "\"0x1\"")))
      .raw("blobGasUsedRatio", json_array(std::vector<std::string>(count, "0")));
  return std::move(json).done();
}

constexpr std::array<Method, 4> kMethods = {{
    {"eth_gasPrice", 0, gas_price},
    {"eth_maxPriorityFeePerGas", 0, priority_fee},
    {"eth_blobBaseFee", 0, blob_base_fee},
    {"eth_feeHistory", 3, fee_history},
}};

}  // namespace

std::span<const Method> fee_methods() {
  return kMethods;
}

}  // namespace fanfare::devchain
