#include "devchain/token.h"

#include <algorithm>
#include <array>

#include "devchain/keccak.h"

namespace fanfare::devchain {
namespace {

constexpr std::uint64_t kBalancesSlot = 0;
constexpr std::uint64_t kAllowancesSlot = 1;
constexpr std::uint64_t kSupplySlot = 2;
constexpr std::uint64_t kNameSlot = 3;
constexpr std::uint64_t kSymbolSlot = 4;
constexpr std::uint64_t kDecimalsSlot = 5;
constexpr std::size_t kSelectorBytes = 4;
constexpr Wei kInfiniteAllowance = kWeiMax;

constexpr Address token_address(std::uint8_t last) {
  return {0xfa, 0x4f, 0xa4, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
}

constexpr std::array<Token, 3> kTokens = {{
    {token_address(1), "Fanfare Dollar", "FUSD", 6},
    {token_address(2), "Fanfare Brass", "BRASS", 18},
    {token_address(3), "Fanfare Drum", "DRUM", 8},
}};

const Hash kApprovalTopic = keccak(as_bytes("Approval(address,address,uint256)"));

Hash keccak_pair(const Hash& one, const Hash& two) {
  std::array<std::uint8_t, 64> both{};
  std::ranges::copy(one, both.begin());
  std::ranges::copy(two, both.begin() + 32);
  return keccak(both);
}

Hash balance_slot(const Address& owner) {
  return keccak_pair(word(owner), word(Wei{kBalancesSlot}));
}

Hash allowance_slot(const Address& owner, const Address& spender) {
  return keccak_pair(word(spender), keccak_pair(word(owner), word(Wei{kAllowancesSlot})));
}

// Solidity's storage layout for a short string: the bytes, and twice the length in the last byte.
Hash short_string(std::string_view text) {
  Hash slot{};
  std::ranges::copy(text, slot.begin());
  slot[31] = static_cast<std::uint8_t>(text.size() * 2);
  return slot;
}

Blob returned(const Hash& value) {
  return {value.begin(), value.end()};
}

Blob returned_string(std::string_view text) {
  Blob out = returned(word(Wei{32}));
  const Hash size = word(Wei{text.size()});
  out.insert(out.end(), size.begin(), size.end());
  out.insert(out.end(), text.begin(), text.end());
  out.resize((out.size() + 31) / 32 * 32);
  return out;
}

CallResult reverted(std::string_view reason) {
  Blob output;
  if (!reason.empty()) {
    output = {0x08, 0xc3, 0x79, 0xa0};  // Error(string)
    const Blob text = returned_string(reason);
    output.insert(output.end(), text.begin(), text.end());
  }
  return {.succeeded = false, .output = std::move(output), .gas = 2'600};
}

CallResult view(Blob output) {
  return {.succeeded = true, .output = std::move(output), .gas = 2'800};
}

// One call: caller, token and arguments.
struct Call {
  State& state;
  const Token& token;
  const Address& caller;
  Bytes arguments;

  Hash argument(std::size_t index) const {
    Hash value;
    std::copy_n(arguments.begin() + static_cast<std::ptrdiff_t>(index * 32), 32, value.begin());
    return value;
  }
  Address address(std::size_t index) const { return address_of_word(argument(index)); }

  Wei load(const Hash& slot) const { return number_of(state.storage(token.address, slot)); }
  void store(const Hash& slot, Wei value) const { state.set_storage(token.address, slot, word(value)); }
};

CallResult move_tokens(const Call& call, const Address& from, const Address& to, Wei amount) {
  const Hash source = balance_slot(from);
  const Hash target = balance_slot(to);
  const Wei available = call.load(source);
  if (amount > available) return reverted("ERC20: transfer amount exceeds balance");
  call.store(source, available - amount);
  call.store(target, call.load(target) + amount);
  Log log{.address = call.token.address,
          .topics = {kTransferTopic, word(from), word(to)},
          .data = returned(word(amount))};
  return {.succeeded = true, .output = returned(word(Wei{1})), .logs = {std::move(log)}, .gas = 29'500};
}

CallResult transfer(const Call& call) {
  return move_tokens(call, call.caller, call.address(0), number_of(call.argument(1)));
}

CallResult transfer_from(const Call& call) {
  const Address owner = call.address(0);
  const Wei amount = number_of(call.argument(2));
  const Hash slot = allowance_slot(owner, call.caller);
  const Wei allowed = call.load(slot);
  if (amount > allowed) return reverted("ERC20: insufficient allowance");
  CallResult result = move_tokens(call, owner, call.address(1), amount);
  if (result.succeeded && allowed != kInfiniteAllowance) call.store(slot, allowed - amount);
  result.gas += 5'000;
  return result;
}

CallResult approve(const Call& call) {
  const Hash amount = call.argument(1);
  call.state.set_storage(call.token.address, allowance_slot(call.caller, call.address(0)), amount);
  Log log{.address = call.token.address,
          .topics = {kApprovalTopic, word(call.caller), call.argument(0)},
          .data = returned(amount)};
  return {.succeeded = true, .output = returned(word(Wei{1})), .logs = {std::move(log)}, .gas = 25'000};
}

CallResult balance_of(const Call& call) {
  return view(returned(call.state.storage(call.token.address, balance_slot(call.address(0)))));
}
CallResult allowance(const Call& call) {
  const Hash slot = allowance_slot(call.address(0), call.address(1));
  return view(returned(call.state.storage(call.token.address, slot)));
}
CallResult total_supply(const Call& call) {
  return view(returned(call.state.storage(call.token.address, word(Wei{kSupplySlot}))));
}
CallResult decimals(const Call& call) {
  return view(returned(word(Wei{call.token.decimals})));
}
CallResult name(const Call& call) {
  return view(returned_string(call.token.name));
}
CallResult symbol(const Call& call) {
  return view(returned_string(call.token.symbol));
}

struct Function {
  std::array<std::uint8_t, kSelectorBytes> selector;
  std::size_t arguments;
  CallResult (*run)(const Call&);
};

constexpr std::array<Function, 9> kFunctions = {{
    {{0xa9, 0x05, 0x9c, 0xbb}, 2, transfer},
    {{0x23, 0xb8, 0x72, 0xdd}, 3, transfer_from},
    {{0x09, 0x5e, 0xa7, 0xb3}, 2, approve},
    {{0x70, 0xa0, 0x82, 0x31}, 1, balance_of},
    {{0xdd, 0x62, 0xed, 0x3e}, 2, allowance},
    {{0x18, 0x16, 0x0d, 0xdd}, 0, total_supply},
    {{0x31, 0x3c, 0xe5, 0x67}, 0, decimals},
    {{0x06, 0xfd, 0xde, 0x03}, 0, name},
    {{0x95, 0xd8, 0x9b, 0x41}, 0, symbol},
}};

}  // namespace

const Hash kTransferTopic = keccak(as_bytes("Transfer(address,address,uint256)"));

std::span<const Token> tokens() {
  return kTokens;
}

const Token* find_token(const Address& address) {
  const auto* const found = std::ranges::find(kTokens, address, &Token::address);
  return found == kTokens.end() ? nullptr : found;
}

Bytes token_code() {
  static constexpr std::string_view kCode =
      "\xfe"
      "fanfare built-in token";
  return as_bytes(kCode);
}

void deploy_token(State& state, const Token& token) {
  state.deploy(token.address, token_code());
  state.set_storage(token.address, word(Wei{kNameSlot}), short_string(token.name));
  state.set_storage(token.address, word(Wei{kSymbolSlot}), short_string(token.symbol));
  state.set_storage(token.address, word(Wei{kDecimalsSlot}), word(Wei{token.decimals}));
}

void mint_token(State& state, const Token& token, const Address& to, Wei amount) {
  for (const Hash& slot : {balance_slot(to), word(Wei{kSupplySlot})}) {
    const Wei before = number_of(state.storage(token.address, slot));
    state.set_storage(token.address, slot, word(before + amount));
  }
}

Wei token_balance(const State& state, const Token& token, const Address& owner) {
  return number_of(state.storage(token.address, balance_slot(owner)));
}

CallResult call_token(State& state, const Token& token, const Address& caller, Wei value, Bytes calldata) {
  if (value != 0 || calldata.size() < kSelectorBytes) return reverted({});
  const auto* const function = std::ranges::find_if(kFunctions, [&](const Function& candidate) {
    return std::ranges::equal(candidate.selector, calldata.first(kSelectorBytes));
  });
  if (function == kFunctions.end()) return reverted({});
  const Bytes arguments = calldata.subspan(kSelectorBytes);
  if (arguments.size() < function->arguments * 32) return reverted({});
  return function->run({.state = state, .token = token, .caller = caller, .arguments = arguments});
}

Blob transfer_calldata(const Address& to, Wei amount) {
  Blob data = {0xa9, 0x05, 0x9c, 0xbb};
  for (const Hash& argument : {word(to), word(amount)}) {
    data.insert(data.end(), argument.begin(), argument.end());
  }
  return data;
}

}  // namespace fanfare::devchain
