#include "eth/log_filter.h"

#include <algorithm>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

using jsonrpc::Kind;

// Sorted, each once, and not a byte more than they need: there may be a hundred thousand filters.
template <typename Value>
void make_canonical(std::vector<Value>& values) {
  std::ranges::sort(values);
  const auto repeated = std::ranges::unique(values);
  values.erase(repeated.begin(), repeated.end());
  values.shrink_to_fit();
}

std::unexpected<std::string> invalid(std::string message) {
  return std::unexpected(std::move(message));
}

std::expected<void, std::string> read_addresses(std::string_view raw, std::vector<Address>& out) {
  switch (jsonrpc::kind_of(raw)) {
    case Kind::null:
    case Kind::none:
      return {};
    case Kind::string: {
      const auto address = parse_address(jsonrpc::string_value(raw).value_or(""));
      if (!address) return invalid("invalid address: must be 20 bytes of hex");
      out.push_back(*address);
      return {};
    }
    case Kind::array: {
      for (const std::string_view element : jsonrpc::array_elements(raw)) {
        const std::string index = std::to_string(out.size());
        if (jsonrpc::kind_of(element) != Kind::string) return invalid("non-string address at index " + index);
        const auto address = parse_address(jsonrpc::string_value(element).value_or(""));
        if (!address) return invalid("invalid address at index " + index + ": must be 20 bytes of hex");
        if (out.size() == LogFilter::kAlternativesMax) return invalid("exceed max addresses");
        out.push_back(*address);
      }
      return {};
    }
    case Kind::boolean:
    case Kind::number:
    case Kind::object:
      break;
  }
  return invalid("invalid addresses in query");
}

std::expected<void, std::string> read_position(std::string_view raw, std::vector<Hash256>& out) {
  const auto add = [&out](std::string_view text) {
    const auto topic = parse_hash(jsonrpc::string_value(text).value_or(""));
    if (topic) out.push_back(*topic);
    return topic.has_value();
  };
  switch (jsonrpc::kind_of(raw)) {
    case Kind::null:
      return {};
    case Kind::string:
      if (!add(raw)) return invalid("invalid topic: must be 32 bytes of hex");
      return {};
    case Kind::array:
      for (const std::string_view element : jsonrpc::array_elements(raw)) {
        if (jsonrpc::kind_of(element) == Kind::null) {
          out.clear();
          return {};
        }
        if (jsonrpc::kind_of(element) != Kind::string) return invalid("invalid topic(s)");
        if (out.size() == LogFilter::kAlternativesMax) return invalid("exceed max topics");
        if (!add(element)) return invalid("invalid topic: must be 32 bytes of hex");
      }
      return {};
    case Kind::boolean:
    case Kind::number:
    case Kind::object:
    case Kind::none:
      break;
  }
  return invalid("invalid topic(s)");
}

std::expected<void, std::string> read_topics(std::string_view raw, LogFilter& filter) {
  const Kind kind = jsonrpc::kind_of(raw);
  if (kind == Kind::null || kind == Kind::none) return {};
  if (kind != Kind::array) return invalid("invalid topics in query");
  for (const std::string_view position : jsonrpc::array_elements(raw)) {
    if (filter.topic_positions == kTopicPositionsMax) return invalid("exceed max topics");
    auto read = read_position(position, filter.topics[filter.topic_positions]);
    if (!read) return read;
    ++filter.topic_positions;
  }
  return {};
}

// Empty in the result: a tag, which bounds nothing.
std::expected<std::optional<std::uint64_t>, std::string> read_bound(std::string_view raw) {
  const Kind kind = jsonrpc::kind_of(raw);
  if (kind == Kind::null || kind == Kind::none) return std::nullopt;
  const auto text = jsonrpc::string_value(raw);
  if (!text) return invalid("a block must be a tag or a quantity");
  for (const std::string_view tag : {"latest", "earliest", "pending", "safe", "finalized", ""}) {
    if (*text == tag) return std::nullopt;
  }
  const auto number = parse_quantity(*text);
  if (!number) return invalid("a block must be a tag or a quantity");
  return number;
}

template <typename Value>
void append_list(std::string& text, const std::vector<Value>& values) {
  text += '[';
  for (const Value& value : values) {
    if (text.back() != '[') text += ',';
    text.append(1, '"').append(to_hex(value)).append(1, '"');
  }
  text += ']';
}

}  // namespace

bool LogFilter::matches(const LogKey& log) const {
  if (from_block && log.block_number < *from_block) return false;
  if (to_block && log.block_number > *to_block) return false;
  if (log.topic_count < topic_positions) return false;
  if (!addresses.empty() && !std::ranges::binary_search(addresses, log.address)) return false;
  for (std::size_t i = 0; i < topic_positions; ++i) {
    if (!topics[i].empty() && !std::ranges::binary_search(topics[i], log.topics[i])) return false;
  }
  return true;
}

std::string LogFilter::canonical() const {
  std::string text = "{";
  if (!addresses.empty()) {
    text += "\"address\":";
    append_list(text, addresses);
  }
  if (topic_positions > 0) {
    text += text.size() > 1 ? ",\"topics\":[" : "\"topics\":[";
    for (std::size_t i = 0; i < topic_positions; ++i) {
      if (i > 0) text += ',';
      if (topics[i].empty()) {
        text += "null";
      } else {
        append_list(text, topics[i]);
      }
    }
    text += ']';
  }
  if (from_block)
    text += (text.size() > 1 ? ",\"fromBlock\":\"" : "\"fromBlock\":\"") + to_quantity(*from_block) + '"';
  if (to_block)
    text += (text.size() > 1 ? ",\"toBlock\":\"" : "\"toBlock\":\"") + to_quantity(*to_block) + '"';
  return text + "}";
}

std::expected<LogFilter, std::string> parse_log_filter(std::string_view filter_json) {
  LogFilter filter;
  const Kind kind = jsonrpc::kind_of(filter_json);
  if (kind == Kind::null || kind == Kind::none) return filter;
  if (kind != Kind::object) return invalid("the filter must be an object");
  const auto raw = [filter_json](std::string_view name) {
    return jsonrpc::member(filter_json, name).value_or(std::string_view{});
  };
  if (auto read = read_addresses(raw("address"), filter.addresses); !read) return invalid(read.error());
  if (auto read = read_topics(raw("topics"), filter); !read) return invalid(read.error());
  const auto from = read_bound(raw("fromBlock"));
  if (!from) return invalid("invalid fromBlock: " + from.error());
  const auto to = read_bound(raw("toBlock"));
  if (!to) return invalid("invalid toBlock: " + to.error());
  filter.from_block = *from;
  filter.to_block = *to;
  if (filter.from_block && filter.to_block && *filter.from_block > *filter.to_block) {
    return invalid("invalid block range params");
  }
  const std::string_view block_hash = raw("blockHash");
  if (!block_hash.empty() && jsonrpc::kind_of(block_hash) != Kind::null) {
    if (!parse_hash(jsonrpc::string_value(block_hash).value_or(""))) return invalid("invalid blockHash");
    if (*from || *to) {
      return invalid("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other");
    }
  }
  make_canonical(filter.addresses);
  for (auto& position : filter.topics) make_canonical(position);
  return filter;
}

}  // namespace fanfare::eth
