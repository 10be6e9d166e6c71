#include "sources_history.h"

#include <algorithm>
#include <optional>
#include <ranges>
#include <stdexcept>

#include "eth/block_logs.h"

namespace fanfare::gateway::simulated {
namespace {

constexpr std::string_view kAdded = ",\"removed\":false}";
constexpr std::string_view kRemoved = ",\"removed\":true}";

[[noreturn]] void broken(const std::string& what) {
  throw std::runtime_error(what);
}

eth::Header head_of(const std::string& result) {
  auto header = eth::parse_header(result);
  if (!header) broken("a head that is none: " + header.error());
  return *std::move(header);
}

std::string named(const eth::Header& head) {
  return std::to_string(head.number) + " " + eth::to_hex(head.hash).substr(0, 10);
}

std::uint64_t block_number_of(std::string_view log_json) {
  const auto text = jsonrpc::string_value(jsonrpc::member(log_json, "blockNumber").value_or("")).value_or("");
  return eth::parse_quantity(text).value_or(0);
}

void append_matching(const WorldBlock& block, const eth::LogFilter& filter, std::vector<std::string>& out) {
  std::string all = "[";
  for (const std::string& log : block.block.logs) all += (all.size() > 1 ? "," : "") + log;
  const eth::BlockLogs logs = eth::parse_block_logs(all + "]", block.block.hash).value();
  for (const eth::BlockLogs::Entry& entry : logs.entries) {
    if (filter.matches(entry.key)) out.push_back(entry.head_json);
  }
}

std::vector<const WorldBlock*> chain_above(std::uint64_t kept, const World& world) {
  std::vector<const WorldBlock*> blocks;
  for (const WorldBlock* block = &world.head(); block != nullptr && block->block.number > kept;
       block = block->parent) {
    blocks.push_back(block);
  }
  std::ranges::reverse(blocks);
  return blocks;
}

std::vector<std::string> expected_logs(const eth::LogFilter& filter, std::uint64_t kept, const World& world) {
  std::vector<std::string> expected;
  for (const WorldBlock* block : chain_above(kept, world)) append_matching(*block, filter, expected);
  return expected;
}

const eth::SimulatedBlock& block_of(const std::string& receipts, const World& world) {
  const auto first = jsonrpc::element(receipts, 0).value_or("");
  const auto text = jsonrpc::string_value(jsonrpc::member(first, "blockHash").value_or("")).value_or("");
  const WorldBlock* block = world.find(eth::parse_hash(text).value_or(eth::Hash256{}));
  if (block == nullptr) broken("receipts of no block: " + receipts);
  return block->block;
}

}  // namespace

void check_heads(const std::vector<std::string>& results, const Joined& joined, const World& world) {
  std::vector<eth::Header> chain;
  for (const std::string& result : results) {
    eth::Header head = head_of(result);
    if (std::ranges::find(chain, head.hash, &eth::Header::hash) != chain.end())
      broken("head twice: " + named(head));
    if (!chain.empty() && chain.back().hash != head.parent_hash) {
      const auto parent = std::ranges::find(chain, head.parent_hash, &eth::Header::hash);
      const auto above = parent == chain.end() ? chain.begin() : parent + 1;
      if (parent == chain.end() && head.number > chain.front().number) {
        broken("head without its parent: " + named(head) + " after " + named(chain.back()));
      }
      chain.erase(above, chain.end());
    }
    if (chain.empty()) {
      if (head.number > joined.number + 1) broken("heads before this one are missing: " + named(head));
      if (head.number == joined.number + 1 && head.parent_hash != joined.hash) {
        broken("the first head does not grow from the one shown: " + named(head));
      }
    }
    chain.push_back(std::move(head));
  }
  if (chain.empty() || chain.back().hash != world.head().block.hash)
    broken("the heads do not end at the chain's");
  const WorldBlock* block = &world.head();
  for (const eth::Header& head : chain | std::views::reverse) {
    if (block == nullptr || block->block.hash != head.hash) broken("not of the final chain: " + named(head));
    block = block->parent;
  }
}

std::uint64_t lowest_kept(const std::vector<std::string>& heads_since, std::uint64_t joined_number) {
  std::uint64_t kept = joined_number;
  for (const std::string& result : heads_since) kept = std::min(kept, head_of(result).number - 1);
  return kept;
}

void check_logs(const std::vector<std::string>& results, const eth::LogFilter& filter,
                std::uint64_t joined_number, std::uint64_t kept, const World& world) {
  std::vector<std::string> told;
  for (const std::string& result : results) {
    if (result.ends_with(kAdded)) {
      told.push_back(result.substr(0, result.size() - kAdded.size()));
      continue;
    }
    if (!result.ends_with(kRemoved)) broken("a log that is none: " + result);
    const std::string log = result.substr(0, result.size() - kRemoved.size());
    if (told.empty()) {
      // The block is older than the subscription: its removal is sent to every subscriber.
      if (block_number_of(result) > joined_number) broken("removed what was never told: " + result);
      continue;
    }
    if (told.back() != log) broken("removed " + result + "\n  while the newest is " + told.back());
    told.pop_back();
  }
  const std::vector<std::string> expected = expected_logs(filter, kept, world);
  if (told == expected) return;
  const auto [mine, theirs] = std::ranges::mismatch(told, expected);
  broken("logs differ from the chain's above block " + std::to_string(kept) + " (joined at " +
         std::to_string(joined_number) + "): told " + std::to_string(told.size()) + ", expected " +
         std::to_string(expected.size()) + "\n  told     " + (mine == told.end() ? "nothing" : *mine) +
         "\n  expected " + (theirs == expected.end() ? "nothing" : *theirs));
}

void check_block_hashes(const std::vector<std::string>& results, const Joined& joined, std::uint64_t kept,
                        const World& world) {
  std::vector<const WorldBlock*> told;
  for (const WorldBlock* block = world.find(joined.hash); block != nullptr; block = block->parent) {
    told.push_back(block);
  }
  std::ranges::reverse(told);
  for (const std::string& result : results) {
    const auto hash = eth::parse_hash(jsonrpc::string_value(result).value_or(""));
    const WorldBlock* block = hash ? world.find(*hash) : nullptr;
    if (block == nullptr) broken("a filter told of no block: " + result);
    while (!told.empty() && told.back()->block.number >= block->block.number) told.pop_back();
    told.push_back(block);
  }
  std::erase_if(told, [kept](const WorldBlock* block) { return block->block.number <= kept; });
  const std::vector<const WorldBlock*> expected = chain_above(kept, world);
  for (std::size_t i = 0; i < std::max(told.size(), expected.size()); ++i) {
    if (i < told.size() && i < expected.size() && told[i] == expected[i]) continue;
    broken("a filter's blocks part from the chain's at block " + std::to_string(kept + 1 + i) + " of " +
           std::to_string(expected.size()) + ", it began after " + std::to_string(joined.number));
  }
}

void check_receipts(const std::vector<std::string>& results, const eth::ReceiptFilter& filter,
                    std::uint64_t kept, const TimesHead& times_head, const World& world) {
  std::map<eth::Hash256, const eth::SimulatedBlock*> of_chain;
  std::vector<std::string> expected;
  for (const WorldBlock* one : chain_above(kept, world)) {
    const eth::SimulatedBlock& block = one->block;
    of_chain.emplace(block.hash, &block);
    const auto receipts = eth::parse_block_receipts(eth::receipts_json(block), block.hash).value();
    if (auto json = eth::matching_receipts(receipts, filter); !json.empty())
      expected.push_back(std::move(json));
  }
  std::vector<std::pair<std::uint64_t, std::string>> told;
  TimesHead times_told;
  for (const std::string& result : results) {
    const eth::SimulatedBlock& block = block_of(result, world);
    if (!of_chain.contains(block.hash)) continue;
    const auto times = times_head.find(block.hash);
    if (times == times_head.end())
      broken("receipts before their head: block " + std::to_string(block.number));
    if (++times_told[block.hash] > times->second) {
      broken("receipts told twice: block " + std::to_string(block.number));
    }
    while (!told.empty() && told.back().first >= block.number) told.pop_back();
    told.emplace_back(block.number, result);
  }
  for (std::size_t i = 0; i < std::max(told.size(), expected.size()); ++i) {
    if (i < told.size() && i < expected.size() && told[i].second == expected[i]) continue;
    broken("receipts part from the chain's at the " + std::to_string(i) + "th of " +
           std::to_string(expected.size()) + " blocks above " + std::to_string(kept));
  }
}

void check_finalized(const std::vector<std::string>& results) {
  std::optional<eth::Header> last;
  for (const std::string& result : results) {
    auto header = eth::parse_header(result);
    if (!header) throw std::runtime_error("a finalized head that is not a block: " + result.substr(0, 200));
    if (last && (header->number != last->number + 1 || header->parent_hash != last->hash)) {
      throw std::runtime_error("finalized head " + std::to_string(header->number) +
                               " is not the child of the last one, " + std::to_string(last->number));
    }
    last = *std::move(header);
  }
}

void check_finalized_end(const std::vector<std::string>& results, std::uint64_t depth, const World& world) {
  if (results.empty()) throw std::runtime_error("no finalized head");
  const auto last = eth::parse_header(results.back()).value();
  const WorldBlock* const block = World::at(world.head(), last.number);
  if (block == nullptr || block->block.hash != last.hash) {
    throw std::runtime_error("finalized head " + std::to_string(last.number) + " is not on the chain");
  }
  if (last.number + depth != world.head().block.number) {
    throw std::runtime_error("finalized heads end at " + std::to_string(last.number) + ", the chain at " +
                             std::to_string(world.head().block.number));
  }
}

}  // namespace fanfare::gateway::simulated
