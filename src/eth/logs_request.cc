#include "eth/logs_request.h"

#include <utility>

#include "eth/block_receipts.h"
#include "eth/hex.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

constexpr std::uint32_t kWays = 3;

std::expected<LogsRequest::Answer, std::string> read_receipts(std::string_view result_json,
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
  return LogsRequest::Answer{.logs = std::move(*logs), .shows_block = !receipts->entries.empty()};
}

}  // namespace

LogsRequest LogsRequest::about(const Header& header, Strategy strategy) {
  switch (strategy) {
    case Strategy::by_hash:
      break;
    case Strategy::by_number: {
      const std::string number = to_quantity(header.number);
      return {.method = "eth_getLogs",
              .params_json = R"([{"fromBlock":")" + number + R"(","toBlock":")" + number + "\"}]"};
    }
    case Strategy::by_receipts:
      return {.method = "eth_getBlockReceipts", .params_json = "[\"" + to_hex(header.hash) + "\"]"};
  }
  return {.method = "eth_getLogs", .params_json = R"([{"blockHash":")" + to_hex(header.hash) + "\"}]"};
}

// Shifts by one after each round. Otherwise, with as many pool members as strategies, each member would see
// one strategy only.
LogsRequest::Strategy LogsRequest::strategy_after(Strategy first, std::uint32_t tries) {
  return static_cast<Strategy>((static_cast<std::uint32_t>(first) + tries + tries / kWays) % kWays);
}

std::expected<LogsRequest::Answer, std::string> LogsRequest::read(std::string_view result_json,
                                                                  Strategy strategy, const Header& header) {
  if (strategy == Strategy::by_receipts) return read_receipts(result_json, header);
  auto logs = parse_block_logs(result_json, header.hash);
  if (!logs) return std::unexpected(std::move(logs.error()));
  return Answer{.logs = std::move(*logs), .shows_block = false};
}

bool LogsRequest::is_doubtful(const Answer& answer, Strategy strategy, const Header& header,
                              bool bloom_trusted) {
  if (!answer.logs.entries.empty() || answer.shows_block) return false;
  if (bloom_trusted) return header.says_there_are_logs();
  return strategy == Strategy::by_number;
}

}  // namespace fanfare::eth
