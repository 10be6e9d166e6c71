// A node's answers and a client's filters. The first line of the input is a log filter; the rest is a block,
// or the logs of one. Any input is accepted or refused with a reason, and
//   - a filter's canonical form reads back as the same filter;
//   - the index finds a filter exactly where the plain matcher does;
//   - valid JSON remains valid JSON as a notification's result.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "eth/block_logs.h"
#include "eth/filter_index.h"
#include "eth/header.h"
#include "jsonrpc/value.h"

using namespace fanfare;

namespace {

void check_filter(const eth::LogFilter& filter) {
  const std::string canonical = filter.canonical();
  const auto again = eth::parse_log_filter(canonical);
  FANFARE_CHECK(again && *again == filter);
  FANFARE_CHECK(again->canonical() == canonical);
}

void check_logs(const eth::BlockLogs& logs, const eth::LogFilter& filter, bool valid_json) {
  eth::FilterIndex index(eth::Salt{1});
  index.add(3, filter);
  for (const eth::BlockLogs::Entry& entry : logs.entries) {
    std::vector<eth::FilterIndex::FilterId> found;
    index.match(entry.key, found);
    FANFARE_CHECK(found.size() == (filter.matches(entry.key) ? 1U : 0U));
    std::string text;
    eth::BlockLogs::append_json(entry, true, text);
    FANFARE_CHECK(!valid_json || jsonrpc::is_valid_json(text));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text(Bytes(data, size));
  const std::size_t end = text.find('\n');
  const std::string_view answer = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  const bool valid_json = jsonrpc::is_valid_json(answer);

  const auto header = eth::parse_header(answer);
  FANFARE_CHECK(header || !header.error().empty());
  if (header) {
    FANFARE_CHECK(!valid_json || jsonrpc::is_valid_json(header->json));
    static_cast<void>(header->logs_bloom());
  }
  const auto filter = eth::parse_log_filter(text.substr(0, end));
  FANFARE_CHECK(filter || !filter.error().empty());
  if (filter) check_filter(*filter);

  // Use the block that the first log names, so that the rest is parsed too.
  const auto first = jsonrpc::element(answer, 0);
  const auto name = first ? jsonrpc::member(*first, "blockHash") : std::nullopt;
  const auto hash = name ? jsonrpc::string_value(*name) : std::nullopt;
  const auto logs =
      eth::parse_block_logs(answer, eth::parse_hash(hash.value_or("")).value_or(eth::Hash256{}));
  FANFARE_CHECK(logs || !logs.error().empty());
  if (logs) check_logs(*logs, filter.value_or(eth::LogFilter{}), valid_json);
  return 0;
}
