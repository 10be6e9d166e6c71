#include "eth/header.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "eth/unknown_members.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

constexpr std::array<std::string_view, 22> kMembers = {
    "hash",         "parentHash",    "sha3Uncles",
    "miner",        "stateRoot",     "transactionsRoot",
    "receiptsRoot", "logsBloom",     "difficulty",
    "number",       "gasLimit",      "gasUsed",
    "timestamp",    "extraData",     "mixHash",
    "nonce",        "baseFeePerGas", "withdrawalsRoot",
    "blobGasUsed",  "excessBlobGas", "parentBeaconBlockRoot",
    "requestsHash",
};
// Members of a block that are not part of its header: the body, and values derived from the whole block or
// chain.
constexpr std::array<std::string_view, 5> kNotOfTheHeader = {"transactions", "uncles", "withdrawals", "size",
                                                             "totalDifficulty"};
constexpr auto kNotUnknown = [] {
  std::array<std::string_view, kMembers.size() + kNotOfTheHeader.size()> all;
  std::ranges::copy(kMembers, all.begin());
  std::ranges::copy(kNotOfTheHeader, all.begin() + kMembers.size());
  return all;
}();
constexpr std::size_t kHash = 0;
constexpr std::size_t kParentHash = 1;
constexpr std::size_t kNumber = 9;
constexpr std::size_t kTimestamp = 12;

std::optional<std::size_t> index_of(std::string_view name) {
  const auto* const found = std::ranges::find(kMembers, name);
  if (found == kMembers.end()) return std::nullopt;
  return static_cast<std::size_t>(found - kMembers.begin());
}

std::unexpected<std::string> malformed(std::string_view member, std::string_view raw) {
  std::string text = "block without a usable ";
  text += member;
  if (!raw.empty()) {
    text += ": ";
    text += raw.substr(0, 80);
  }
  return std::unexpected(std::move(text));
}

}  // namespace

std::expected<Header, std::string> parse_header(std::string_view block_json) {
  if (jsonrpc::kind_of(block_json) != jsonrpc::Kind::object) {
    return std::unexpected("block is not an object: " + std::string(block_json.substr(0, 80)));
  }
  std::array<std::string_view, kMembers.size()> raw{};
  UnknownMembers unknown(kNotUnknown);
  for (const jsonrpc::Member& member : jsonrpc::object_members(block_json)) {
    if (const auto index = index_of(member.name)) {
      raw[*index] = member.value;
    } else {
      unknown.add(member);
    }
  }
  const auto text_of = [&raw](std::size_t index) {
    return jsonrpc::string_value(raw[index]).value_or(std::string_view{});
  };

  Header header;
  const auto number = parse_quantity(text_of(kNumber));
  if (!number) return malformed("number", raw[kNumber]);
  const auto hash = parse_hash(text_of(kHash));
  if (!hash) return malformed("hash", raw[kHash]);
  const auto parent_hash = parse_hash(text_of(kParentHash));
  if (!parent_hash) return malformed("parentHash", raw[kParentHash]);
  const auto timestamp_s = parse_quantity(text_of(kTimestamp));
  if (!timestamp_s) return malformed("timestamp", raw[kTimestamp]);
  header.number = *number;
  header.hash = *hash;
  header.parent_hash = *parent_hash;
  header.timestamp_s = *timestamp_s;

  std::size_t size = 2;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i].empty()) continue;
    const jsonrpc::Kind kind = jsonrpc::kind_of(raw[i]);
    if (kind == jsonrpc::Kind::object || kind == jsonrpc::Kind::array || kind == jsonrpc::Kind::none) {
      return malformed(kMembers[i], raw[i]);
    }
    size += kMembers[i].size() + raw[i].size() + 4;
  }
  header.json.reserve(size);
  header.json = '{';
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i].empty()) continue;
    if (header.json.size() > 1) header.json += ',';
    header.json.append(1, '"').append(kMembers[i]).append("\":").append(raw[i]);
  }
  unknown.append_to(header.json);
  header.json += '}';
  return header;
}

std::optional<Bloom> Header::logs_bloom() const {
  const auto raw = jsonrpc::member(json, "logsBloom");
  const auto text = raw ? jsonrpc::string_value(*raw) : std::nullopt;
  Bloom bloom;
  if (!text || !parse_data(*text, bloom)) return std::nullopt;
  return bloom;
}

bool Header::says_there_are_logs() const {
  const auto bloom = logs_bloom();
  return bloom && std::ranges::any_of(*bloom, [](std::uint8_t byte) { return byte != 0; });
}

}  // namespace fanfare::eth
