#include "upstream/chain_claim.h"

#include <algorithm>
#include <charconv>

#include "base/hex.h"
#include "jsonrpc/value.h"

namespace fanfare::upstream {
namespace {

constexpr std::size_t kHashTextSize = 66;  // "0x" and 64 digits

}  // namespace

std::string describe(const ChainClaim& claim) {
  std::string text = claim.chain_id ? "chain " + std::to_string(*claim.chain_id) : "a chain without an id";
  if (!claim.genesis.empty()) text += " with the genesis " + claim.genesis;
  return text;
}

std::optional<std::uint64_t> read_chain_id(std::string_view result_json) {
  const auto text = jsonrpc::string_value(result_json);
  if (!text || !text->starts_with("0x")) return std::nullopt;
  std::uint64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [read, failed] = std::from_chars(text->data() + 2, end, value, 16);
  if (text->size() == 2 || failed != std::errc{} || read != end) return std::nullopt;
  return value;
}

std::string read_genesis(std::string_view result_json) {
  if (jsonrpc::kind_of(result_json) != jsonrpc::Kind::object) return "";
  const auto number = jsonrpc::member(result_json, "number");
  const auto hash = jsonrpc::member(result_json, "hash");
  const auto number_text = number ? jsonrpc::string_value(*number) : std::nullopt;
  const auto hash_text = hash ? jsonrpc::string_value(*hash) : std::nullopt;
  if (number_text != "0x0" || !hash_text || hash_text->size() != kHashTextSize) return "";
  if (!hash_text->starts_with("0x") || !std::ranges::all_of(hash_text->substr(2), is_hex_digit)) return "";
  std::string genesis(*hash_text);
  std::ranges::transform(genesis, genesis.begin(),
                         [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return genesis;
}

bool NetworkChain::settle(const std::vector<Known>& nodes, bool waited_enough) {
  const bool chain_id = settle_chain_id(nodes, waited_enough);
  const bool genesis = settle_genesis(nodes, waited_enough);
  return chain_id || genesis;
}

bool NetworkChain::settle_chain_id(const std::vector<Known>& nodes, bool waited_enough) {
  if (truth_.chain_id) return false;
  for (const Known& node : nodes) {
    if (node.claim && node.claim->chain_id) {
      truth_.chain_id = node.claim->chain_id;
      return true;
    }
    if (!node.asked && !waited_enough) return false;
  }
  nobody_says_ = true;
  return false;
}

bool NetworkChain::settle_genesis(const std::vector<Known>& nodes, bool waited_enough) {
  const auto on_chain = [this](const Known& node) {
    return node.claim && node.claim->chain_id == truth_.chain_id;
  };
  if (truth_.genesis.empty()) {
    waits_ = false;
    for (const Known& node : nodes) {
      if (on_chain(node) && !node.claim->genesis.empty()) {
        truth_.genesis = node.claim->genesis;
        return true;
      }
      waits_ = waits_ || (!node.asked && !waited_enough);
      if (waits_) return false;
    }
    return false;
  }
  const std::string other = nodes.front().claim ? nodes.front().claim->genesis : "";
  const bool restarted =
      !other.empty() && other != truth_.genesis && std::ranges::all_of(nodes, [&](const Known& node) {
        return on_chain(node) && node.claim->genesis == other;
      });
  if (restarted) truth_.genesis = other;
  return restarted;
}

NetworkChain::Verdict NetworkChain::judge(const Known& node) const {
  if (!node.claim) return Verdict::unknown;
  if (!truth_.chain_id) return nobody_says_ ? Verdict::right : Verdict::unknown;
  // If the chain is known, a node that does not report its chain cannot be used.
  if (!node.claim->chain_id) return Verdict::unknown;
  if (node.claim->chain_id != truth_.chain_id) return Verdict::wrong;
  if (truth_.genesis.empty()) return waits_ ? Verdict::unknown : Verdict::right;
  return node.claim->genesis.empty() || node.claim->genesis == truth_.genesis ? Verdict::right
                                                                              : Verdict::wrong;
}

}  // namespace fanfare::upstream
