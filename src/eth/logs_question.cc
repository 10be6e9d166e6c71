#include "eth/logs_question.h"

#include <utility>

#include "eth/block_receipts.h"
#include "eth/hex.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

constexpr std::uint32_t kWays = 3;

std::expected<LogsQuestion::Answer, std::string> read_receipts(std::string_view result_json,
                                                               const Header& header) {
  const auto receipts = parse_block_receipts(result_json, header.hash);
  if (!receipts) return std::unexpected(receipts.error());
  std::string all = "[";
  for (const BlockReceipts::Entry& entry : receipts->entries) {
    const auto logs = jsonrpc::member(entry.json, "logs");
    if (!logs || jsonrpc::kind_of(*logs) != jsonrpc::Kind::array) {
      return std::unexpected("a receipt without logs");
    }
    for (const std::string_view log : jsonrpc::array_elements(*logs)) {
      all.append(all.size() > 1 ? "," : "").append(log);
    }
  }
  all += ']';
  auto logs = parse_block_logs(all, header.hash);
  if (!logs) return std::unexpected(std::move(logs.error()));
  return LogsQuestion::Answer{.logs = std::move(*logs), .shows_block = !receipts->entries.empty()};
}

}  // namespace

LogsQuestion LogsQuestion::about(const Header& header, Way way) {
  switch (way) {
    case Way::by_hash:
      break;
    case Way::by_number: {
      const std::string number = to_quantity(header.number);
      return {.method = "eth_getLogs",
              .params_json = R"([{"fromBlock":")" + number + R"(","toBlock":")" + number + "\"}]"};
    }
    case Way::by_receipts:
      return {.method = "eth_getBlockReceipts", .params_json = "[\"" + to_hex(header.hash) + "\"]"};
  }
  return {.method = "eth_getLogs", .params_json = R"([{"blockHash":")" + to_hex(header.hash) + "\"}]"};
}

// Shifts by one after each round. Otherwise, with as many pool members as strategies, each member would see
// one strategy only.
LogsQuestion::Way LogsQuestion::way_after(Way first, std::uint32_t tries) {
  return static_cast<Way>((static_cast<std::uint32_t>(first) + tries + tries / kWays) % kWays);
}

std::expected<LogsQuestion::Answer, std::string> LogsQuestion::read(std::string_view result_json, Way way,
                                                                    const Header& header) {
  if (way == Way::by_receipts) return read_receipts(result_json, header);
  auto logs = parse_block_logs(result_json, header.hash);
  if (!logs) return std::unexpected(std::move(logs.error()));
  return Answer{.logs = std::move(*logs), .shows_block = false};
}

bool LogsQuestion::is_doubtful(const Answer& answer, Way way, const Header& header, bool bloom_trusted) {
  if (!answer.logs.entries.empty() || answer.shows_block) return false;
  if (bloom_trusted) return header.says_there_are_logs();
  return way == Way::by_number;
}

}  // namespace fanfare::eth
