#pragma once
// Subscription ids: a topic has the same id on every loop and connection of a process, so that whole frames
// are shared. Outsiders cannot infer the topic from an id.
//
// id = SipHash-2-4 with 128 bits of (network, topic, ordinal), keyed with the process's salt. Its text is a
// quantity: 0x, no leading zero. Clients send it back trimmed, padded or in another case, so it is compared
// as a number.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

using Salt = std::array<std::uint8_t, 16>;

// Also the topic's key in the loop's table.
using SubscriptionId = pubsub::TopicKey;

// `ordinal` distinguishes the subscriptions of one connection to one topic. Never returns 0.
SubscriptionId make_subscription_id(const Salt& salt, std::string_view network, std::string_view topic,
                                    std::uint32_t ordinal);

std::string to_text(const SubscriptionId& id);

// Empty: not a hex number, or too large.
std::optional<SubscriptionId> parse_subscription_id(std::string_view text);

// Aumasson and Bernstein, "SipHash: a fast short-input PRF", in its 128-bit form. Exposed for its test.
SubscriptionId siphash128(const Salt& key, Bytes message);

}  // namespace fanfare::eth
