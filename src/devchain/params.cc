#include "devchain/params.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::devchain {

using Json = std::string_view;  // the raw text of one value
using jsonrpc::array_elements;
using jsonrpc::element_count;
using JsonKind = jsonrpc::Kind;

namespace {

constexpr std::size_t kShownMax = 120;
constexpr int kDepthMax = 16;

// Values are parsed recursively later, so the depth is checked first.
bool too_deep(std::string_view json) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '[' || c == '{') && ++depth > kDepthMax) {
      return true;
    } else if (!quoted && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return false;
}

bool is(Json value, JsonKind kind) {
  return jsonrpc::kind_of(value) == kind;
}

std::string shown(Json value) {
  return value.size() > kShownMax ? std::string(value.substr(0, kShownMax)) + "..." : std::string(value);
}

// The strings used here have no escapes: digits and tags.
std::string_view text_of(Json value) {
  return jsonrpc::string_value(value).value_or("");
}

std::optional<std::uint64_t> parse_u64(Json value) {
  if (is(value, JsonKind::number)) return jsonrpc::uint_value(value);
  const auto number = parse_quantity(text_of(value));
  if (!number || *number > std::numeric_limits<std::uint64_t>::max()) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<BlockReference> parse_block(Json value) {
  using Kind = BlockReference::Kind;
  static constexpr std::array<std::pair<std::string_view, Kind>, 5> kTags = {
      {{"latest", Kind::latest},
       {"earliest", Kind::earliest},
       {"pending", Kind::pending},
       {"safe", Kind::safe},
       {"finalized", Kind::finalized}}};
  const std::string_view text = text_of(value);
  for (const auto& [tag, kind] : kTags) {
    if (text == tag) return BlockReference{.kind = kind};
  }
  if (is(value, JsonKind::object)) {
    if (const auto number = jsonrpc::member(value, "blockNumber")) return parse_block(*number);
    const auto hash = jsonrpc::member(value, "blockHash");
    if (!hash) return std::nullopt;
    auto reference = parse_block(*hash);
    if (!reference || reference->kind != Kind::hash) return std::nullopt;
    const auto canonical = jsonrpc::member(value, "requireCanonical");
    reference->require_canonical = canonical && jsonrpc::bool_value(*canonical).value_or(false);
    return reference;
  }
  if (!is(value, JsonKind::string)) return std::nullopt;
  if (const auto hash = parse_hash(text)) return BlockReference{.kind = Kind::hash, .hash = *hash};
  const auto number = parse_u64(value);
  if (!number) return std::nullopt;
  return BlockReference{.kind = Kind::number, .number = *number};
}

// A member that may be absent or null: false if it is present and invalid.
template <typename T, typename Parse>
bool read_member(Json object, const char* name, std::optional<T>& into, Parse&& parse) {
  const auto value = jsonrpc::member(object, name);
  if (!value || is(*value, JsonKind::null)) return true;
  into = parse(*value);
  return into.has_value();
}

bool read_addresses(Json value, std::vector<Address>& into) {
  if (is(value, JsonKind::null)) return true;
  if (is(value, JsonKind::array)) {
    if (element_count(value) > LogFilter::kAlternativesMax) return false;
    return std::ranges::all_of(array_elements(value), [&](Json element) {
      return is(element, JsonKind::string) && read_addresses(element, into);
    });
  }
  const auto address = parse_address(text_of(value));
  if (address) into.push_back(*address);
  return address.has_value();
}

// One position: null or [] matches any topic, and so does a null among alternatives.
bool read_topic(Json value, std::vector<Hash>& into) {
  if (is(value, JsonKind::null)) return true;
  if (is(value, JsonKind::array)) {
    if (element_count(value) > LogFilter::kAlternativesMax) return false;
    for (Json element : array_elements(value)) {
      if (is(element, JsonKind::null)) {
        into.clear();
        return true;
      }
      if (!is(element, JsonKind::string) || !read_topic(element, into)) return false;
    }
    return true;
  }
  const auto topic = parse_hash(text_of(value));
  if (topic) into.push_back(*topic);
  return topic.has_value();
}

bool read_topics(Json value, std::vector<std::vector<Hash>>& into) {
  if (is(value, JsonKind::null)) return true;
  if (!is(value, JsonKind::array) || element_count(value) > LogFilter::kPositionsMax) return false;
  return std::ranges::all_of(array_elements(value),
                             [&](Json element) { return read_topic(element, into.emplace_back()); });
}

}  // namespace

struct Params::Impl {
  std::string text;
  Json array;  // in `text`; empty if there are no parameters
  std::optional<CallError> error;

  std::optional<Json> at(std::size_t index) const { return jsonrpc::element(array, index); }

  void fail(std::string message) {
    if (!error) error = CallError{.code = -32602, .message = std::move(message)};
  }

  template <typename T, typename Parse>
  T read(std::size_t index, const char* wanted, Parse&& parse) {
    const auto value = at(index);
    if (!value || is(*value, JsonKind::null)) {
      fail("missing value for required argument " + std::to_string(index));
      return {};
    }
    std::optional<T> parsed = parse(*value);
    if (!parsed) {
      fail("invalid argument " + std::to_string(index) + ": " + shown(*value) + " is not " + wanted);
      return {};
    }
    return *std::move(parsed);
  }
};

Params::Params(std::string_view json) : impl_(std::make_unique<Impl>()) {
  if (json.empty()) return;
  if (too_deep(json)) {
    impl_->fail("invalid params: nested too deeply");
    return;
  }
  if (!jsonrpc::is_valid_json(json)) {
    impl_->fail("invalid params: not JSON");
    return;
  }
  const std::size_t first = json.find_first_not_of(" \t\r\n");
  impl_->text = json.substr(first, json.find_last_not_of(" \t\r\n") + 1 - first);
  if (is(impl_->text, JsonKind::array)) {
    impl_->array = impl_->text;
  } else if (!is(impl_->text, JsonKind::null)) {
    impl_->fail("non-array args");
  }
}

Params::~Params() = default;

std::size_t Params::size() const {
  return element_count(impl_->array);
}

bool Params::has(std::size_t index) const {
  const auto value = impl_->at(index);
  return value && !is(*value, JsonKind::null);
}

void Params::at_most(std::size_t count) {
  if (size() > count) impl_->fail("too many arguments, want at most " + std::to_string(count));
}

Address Params::address(std::size_t index) {
  return impl_->read<Address>(index, "an address (0x and 40 hexadecimal digits)",
                              [](Json value) { return parse_address(text_of(value)); });
}

Hash Params::hash(std::size_t index) {
  return impl_->read<Hash>(index, "a hash (0x and 64 hexadecimal digits)",
                           [](Json value) { return parse_hash(text_of(value)); });
}

namespace {
std::optional<Hash> parse_slot(Json value) {
  const std::string_view text = text_of(value);
  if (!text.starts_with("0x") || text.size() > 66) return std::nullopt;
  return parse_hash("0x" + std::string(66 - text.size(), '0') + std::string(text.substr(2)));
}
}  // namespace

Hash Params::slot(std::size_t index) {
  return impl_->read<Hash>(index, "a storage slot (0x and at most 64 hexadecimal digits)", parse_slot);
}

std::vector<Hash> Params::slots(std::size_t index) {
  return impl_->read<std::vector<Hash>>(
      index, "a list of storage slots", [](Json value) -> std::optional<std::vector<Hash>> {
        std::vector<Hash> slots;
        if (!is(value, JsonKind::array) || element_count(value) > LogFilter::kAlternativesMax)
          return std::nullopt;
        for (Json element : array_elements(value)) {
          const auto slot = parse_slot(element);
          if (!slot) return std::nullopt;
          slots.push_back(*slot);
        }
        return slots;
      });
}

Blob Params::bytes(std::size_t index) {
  return impl_->read<Blob>(index, "hexadecimal bytes", [](Json value) { return parse_hex(text_of(value)); });
}

std::string Params::text(std::size_t index) {
  return impl_->read<std::string>(index, "a string", jsonrpc::string_copy);
}

bool Params::boolean(std::size_t index, bool otherwise) {
  if (!has(index)) return otherwise;
  return impl_->read<bool>(index, "a boolean", jsonrpc::bool_value);
}

std::uint64_t Params::number(std::size_t index, std::optional<std::uint64_t> otherwise) {
  if (otherwise && !has(index)) return *otherwise;
  return impl_->read<std::uint64_t>(index, "a quantity of at most 64 bits", parse_u64);
}

BlockReference Params::block(std::size_t index) {
  return impl_->read<BlockReference>(index, "a block number, tag or hash", parse_block);
}

BlockReference Params::block_number(std::size_t index) {
  return impl_->read<BlockReference>(index, "a block number or tag", [](Json value) {
    auto reference = is(value, JsonKind::string) ? parse_block(value) : std::nullopt;
    if (reference && reference->kind == BlockReference::Kind::hash) reference.reset();
    return reference;
  });
}

BlockReference Params::block_or_latest(std::size_t index) {
  return has(index) ? block(index) : BlockReference{};
}

std::vector<double> Params::numbers(std::size_t index) {
  if (!has(index)) return {};
  return impl_->read<std::vector<double>>(
      index, "a list of numbers", [](Json value) -> std::optional<std::vector<double>> {
        std::vector<double> numbers;
        if (!is(value, JsonKind::array) || element_count(value) > 100) return std::nullopt;
        for (Json element : array_elements(value)) {
          double number = 0;
          const auto parsed = std::from_chars(element.data(), element.data() + element.size(), number);
          if (!is(element, JsonKind::number) || parsed.ec != std::errc()) return std::nullopt;
          numbers.push_back(number);
        }
        return numbers;
      });
}

CallRequest Params::call(std::size_t index) {
  return impl_->read<CallRequest>(
      index, "a transaction object", [](Json value) -> std::optional<CallRequest> {
        if (!is(value, JsonKind::object)) return std::nullopt;
        CallRequest request;
        const auto address = [](Json member) { return parse_address(text_of(member)); };
        const auto amount = [](Json member) { return parse_quantity(text_of(member)); };
        std::optional<Blob> data;
        std::optional<Blob> input;
        const auto blob = [](Json member) { return parse_hex(text_of(member)); };
        const bool fine = read_member(value, "from", request.from, address) &&
                          read_member(value, "to", request.to, address) &&
                          read_member(value, "gas", request.gas, parse_u64) &&
                          read_member(value, "gasPrice", request.gas_price, amount) &&
                          read_member(value, "maxFeePerGas", request.fee_max, amount) &&
                          read_member(value, "maxPriorityFeePerGas", request.priority_fee_max, amount) &&
                          read_member(value, "value", request.value, amount) &&
                          read_member(value, "nonce", request.nonce, parse_u64) &&
                          read_member(value, "chainId", request.chain_id, parse_u64) &&
                          read_member(value, "data", data, blob) && read_member(value, "input", input, blob);
        if (!fine || (data && input && *data != *input)) return std::nullopt;
        request.data = input ? *std::move(input) : std::move(data).value_or(Blob{});
        return request;
      });
}

LogRequest Params::logs(std::size_t index) {
  return impl_->read<LogRequest>(index, "a log filter", [](Json value) -> std::optional<LogRequest> {
    if (!is(value, JsonKind::object)) return std::nullopt;
    LogRequest request;
    const auto hash = [](Json member) { return parse_hash(text_of(member)); };
    const bool fine = read_member(value, "fromBlock", request.from, parse_block) &&
                      read_member(value, "toBlock", request.to, parse_block) &&
                      read_member(value, "blockHash", request.block_hash, hash);
    if (!fine || (request.block_hash && (request.from || request.to))) return std::nullopt;
    const auto address = jsonrpc::member(value, "address");
    if (address && !read_addresses(*address, request.filter.addresses)) return std::nullopt;
    const auto topics = jsonrpc::member(value, "topics");
    if (topics && !read_topics(*topics, request.filter.topics)) return std::nullopt;
    return request;
  });
}

const std::optional<CallError>& Params::error() const {
  return impl_->error;
}

}  // namespace fanfare::devchain
