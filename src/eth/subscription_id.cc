#include "eth/subscription_id.h"

#include <bit>

#include "eth/hex.h"

namespace fanfare::eth {
namespace {

std::uint64_t load_little_endian(const std::uint8_t* bytes, std::size_t size) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i) word |= std::uint64_t{bytes[i]} << (8U * i);
  return word;
}

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  }
  void absorb(std::uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  std::uint64_t folded() const { return v0 ^ v1 ^ v2 ^ v3; }
};

}  // namespace

SubscriptionId siphash128(const Salt& key, Bytes message) {
  const std::uint64_t k0 = load_little_endian(key.data(), 8);
  const std::uint64_t k1 = load_little_endian(key.data() + 8, 8);
  SipState state{.v0 = k0 ^ 0x736f6d6570736575U,
                 .v1 = k1 ^ 0x646f72616e646f6dU ^ 0xeeU,
                 .v2 = k0 ^ 0x6c7967656e657261U,
                 .v3 = k1 ^ 0x7465646279746573U};
  const std::size_t whole = message.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) state.absorb(load_little_endian(&message[i], 8));
  const std::uint64_t rest = load_little_endian(message.data() + whole, message.size() - whole);
  state.absorb(rest | (std::uint64_t{message.size()} << 56U));
  state.v2 ^= 0xeeU;
  state.rounds(4);
  const std::uint64_t first = state.folded();
  state.v1 ^= 0xddU;
  state.rounds(4);
  return {.high = first, .low = state.folded()};
}

SubscriptionId make_subscription_id(const Salt& salt, std::string_view network, std::string_view topic,
                                    std::uint32_t ordinal) {
  // The lengths precede the texts, so that no two different triples make the same message.
  std::string message = std::to_string(network.size());
  message.append(1, ':').append(network).append(std::to_string(ordinal)).append(1, ':').append(topic);
  SubscriptionId id = siphash128(salt, as_bytes(message));
  if (id == SubscriptionId{}) id.low = 1;
  return id;
}

std::string to_text(const SubscriptionId& id) {
  if (id.high == 0) return to_quantity(id.low);
  std::string text = to_quantity(id.high);
  const std::string low = to_quantity(id.low);
  text.append(16 - (low.size() - 2), '0').append(low, 2);
  return text;
}

std::optional<SubscriptionId> parse_subscription_id(std::string_view text) {
  if (text.size() <= 2 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X')) return std::nullopt;
  text.remove_prefix(2);
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  if (text.size() > 32) return std::nullopt;
  const std::size_t low_size = text.size() < 16 ? text.size() : 16;
  const auto low = parse_quantity("0x" + std::string(text.substr(text.size() - low_size)));
  text.remove_suffix(low_size);
  const auto high = text.empty() ? std::optional<std::uint64_t>(0) : parse_quantity("0x" + std::string(text));
  if (!low || !high) return std::nullopt;
  return SubscriptionId{.high = *high, .low = *low};
}

}  // namespace fanfare::eth
