#include "eth/log_filter.h"

#include <algorithm>
#include <limits>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

using jsonrpc::Kind;

constexpr std::uint64_t kBlockNumberMax = std::numeric_limits<std::int64_t>::max();

// Sorts, removes duplicates and shrinks to fit: there may be a hundred thousand filters.
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

// A bound of the block range, as written.
struct Bound {
  enum class Kind : std::uint8_t { latest, pending, settled, number };
  Kind kind = Kind::latest;  // also if absent
  std::uint64_t number = 0;  // `earliest` is number 0
  bool given = false;
};

// As strict as geth about quantities: clients should learn of a wrong spelling here, rather than from the
// next node.
std::expected<std::uint64_t, std::string> read_number(std::string_view text) {
  if (text.empty()) return invalid("empty hex string");
  if (!text.starts_with("0x") && !text.starts_with("0X")) return invalid("hex string without 0x prefix");
  const std::string_view digits = text.substr(2);
  if (digits.empty()) return invalid("hex string \"0x\"");
  if (digits.size() > 1 && digits.front() == '0') return invalid("hex number with leading zero digits");
  const auto number = parse_quantity(text);
  if (!number && digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
    return invalid("invalid hex string");
  }
  if (!number || *number > kBlockNumberMax) return invalid("block number larger than int64");
  return *number;
}

std::expected<Bound, std::string> read_bound(std::string_view raw) {
  const Kind kind = jsonrpc::kind_of(raw);
  if (kind == Kind::null || kind == Kind::none) return Bound{};
  const auto text = jsonrpc::string_value(raw);
  if (!text) return invalid("a block must be a tag or a quantity");
  if (*text == "latest") return Bound{.kind = Bound::Kind::latest, .given = true};
  if (*text == "pending") return Bound{.kind = Bound::Kind::pending, .given = true};
  if (*text == "safe" || *text == "finalized") return Bound{.kind = Bound::Kind::settled, .given = true};
  if (*text == "earliest") return Bound{.kind = Bound::Kind::number, .number = 0, .given = true};
  const auto number = read_number(*text);
  if (!number) return invalid(number.error());
  return Bound{.kind = Bound::Kind::number, .number = *number, .given = true};
}

// The ranges that a stream of new logs can have, as in geth: all new blocks, from a block on, or from a block
// to a later one. A range that ends before the head would wait for ever, and is rejected.
std::expected<void, std::string> read_range(const Bound& from, const Bound& to, LogFilter& filter) {
  using Is = Bound::Kind;
  if (from.kind == Is::pending || to.kind == Is::pending) return invalid("pending logs are not supported");
  const bool from_a_block = from.kind == Is::number;
  const bool ordered = from_a_block && to.kind == Is::number && from.number <= to.number;
  const bool open = to.kind == Is::latest && (from_a_block || from.kind == Is::latest);
  if (!ordered && !open) return invalid("invalid block range params");
  if (from_a_block && from.number > 0) filter.from_block = from.number;
  if (to.kind == Is::number) filter.to_block = to.number;
  return {};
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
  const std::string_view block_hash = raw("blockHash");
  if (!block_hash.empty() && jsonrpc::kind_of(block_hash) != Kind::null) {
    if (!parse_hash(jsonrpc::string_value(block_hash).value_or(""))) return invalid("invalid blockHash");
    if (from->given || to->given) {
      return invalid("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other");
    }
  }
  if (auto read = read_range(*from, *to, filter); !read) return invalid(read.error());
  make_canonical(filter.addresses);
  for (auto& position : filter.topics) make_canonical(position);
  return filter;
}

}  // namespace fanfare::eth
