#include "eth/block_logs.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "eth/unknown_members.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

constexpr std::array<std::string_view, 8> kLogMembers = {"address",     "topics",          "data",
                                                         "blockNumber", "transactionHash", "transactionIndex",
                                                         "blockHash",   "logIndex"};
// `removed` is ours to say.
constexpr std::array<std::string_view, 9> kKnownOfLog = {"address",     "topics",          "data",
                                                         "blockNumber", "transactionHash", "transactionIndex",
                                                         "blockHash",   "logIndex",        "removed"};
enum MemberIndex : std::uint8_t {
  kAddress,
  kTopics,
  kData,
  kBlockNumber,
  kTransactionHash,
  kTransactionIndex,
  kBlockHash,
  kLogIndex
};

std::unexpected<std::string> malformed_log(std::string_view member, std::string_view raw) {
  std::string text = "log without a usable ";
  text.append(member);
  if (!raw.empty()) text.append(": ").append(raw.substr(0, 80));
  return std::unexpected(std::move(text));
}

struct Read {
  BlockLogs::Entry entry;
  std::uint64_t index = 0;
};

std::expected<Read, std::string> read_log(std::string_view log_json, const Hash256& block_hash) {
  std::array<std::string_view, kLogMembers.size()> raw{};
  UnknownMembers unknown(kKnownOfLog);
  for (const jsonrpc::Member& member : jsonrpc::object_members(log_json)) {
    const auto* const found = std::ranges::find(kLogMembers, member.name);
    if (found != kLogMembers.end()) {
      raw[static_cast<std::size_t>(found - kLogMembers.begin())] = member.value;
    } else {
      unknown.add(member);
    }
  }
  const auto text_of = [&raw](MemberIndex index) {
    return jsonrpc::string_value(raw[index]).value_or(std::string_view{});
  };
  Read read;
  LogKey& key = read.entry.key;
  const auto address = parse_address(text_of(kAddress));
  if (!address) return malformed_log("address", raw[kAddress]);
  key.address = *address;
  if (jsonrpc::kind_of(raw[kTopics]) != jsonrpc::Kind::array) return malformed_log("topics", raw[kTopics]);
  for (const std::string_view element : jsonrpc::array_elements(raw[kTopics])) {
    const auto topic = parse_hash(jsonrpc::string_value(element).value_or(""));
    if (!topic || key.topic_count == kTopicPositionsMax) return malformed_log("topics", raw[kTopics]);
    key.topics[key.topic_count++] = *topic;
  }
  const auto number = parse_quantity(text_of(kBlockNumber));
  if (!number) return malformed_log("blockNumber", raw[kBlockNumber]);
  key.block_number = *number;
  // A node that answers with the logs of another block would corrupt every subscriber's history.
  if (parse_hash(text_of(kBlockHash)) != block_hash) return malformed_log("blockHash", raw[kBlockHash]);
  const auto index = parse_quantity(text_of(kLogIndex));
  if (!index) return malformed_log("logIndex", raw[kLogIndex]);
  read.index = *index;
  for (const MemberIndex member : {kData, kTransactionHash, kTransactionIndex}) {
    if (jsonrpc::kind_of(raw[member]) != jsonrpc::Kind::string)
      return malformed_log(kLogMembers[member], raw[member]);
  }

  std::size_t size = 2;
  for (std::size_t i = 0; i < kLogMembers.size(); ++i) size += kLogMembers[i].size() + raw[i].size() + 4;
  std::string& json = read.entry.head_json;
  json.reserve(size);
  for (std::size_t i = 0; i < kLogMembers.size(); ++i) {
    json.append(i == 0 ? "{\"" : ",\"").append(kLogMembers[i]).append("\":").append(raw[i]);
  }
  unknown.append_to(json);
  return read;
}

}  // namespace

void BlockLogs::append_json(const Entry& entry, bool removed, std::string& out) {
  out.append(entry.head_json).append(removed ? ",\"removed\":true}" : ",\"removed\":false}");
}

std::expected<BlockLogs, std::string> parse_block_logs(std::string_view logs_json,
                                                       const Hash256& block_hash) {
  if (jsonrpc::kind_of(logs_json) != jsonrpc::Kind::array) {
    return std::unexpected("logs are not an array: " + std::string(logs_json.substr(0, 80)));
  }
  std::vector<Read> all;
  for (const std::string_view log_json : jsonrpc::array_elements(logs_json)) {
    // A log that a reorg removed does not belong to the block, whatever hash it names.
    if (jsonrpc::bool_value(jsonrpc::member(log_json, "removed").value_or("")).value_or(false)) continue;
    auto read = read_log(log_json, block_hash);
    if (!read) return std::unexpected(std::move(read.error()));
    all.push_back(std::move(*read));
  }
  std::ranges::sort(all, {}, &Read::index);
  BlockLogs logs;
  logs.entries.reserve(all.size());
  for (Read& read : all) logs.entries.push_back(std::move(read.entry));
  return logs;
}

}  // namespace fanfare::eth
