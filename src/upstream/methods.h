#pragma once
// Which JSON-RPC methods only read, so that a call may be repeated after some of it was sent.
//
// The table lists the reads. Everything else is sent to one node, once: sending transactions, signing,
// mining, filters whose changes are consumed by reading them, engine calls, unknown methods.

#include <cstddef>
#include <span>
#include <string_view>

#include "upstream/backend.h"

namespace fanfare::upstream {

Repeat repeat_of(std::string_view method);

// Whether the method invalidates answers about settled blocks: development nodes write state and history
// (anvil_setBalance, evm_revert), and geth goes back (debug_setHead). Sending a transaction does not.
bool rewrites_the_past(std::string_view method);

// Labels for metrics: their number is fixed, whatever clients send. Returns the index of "other" for an
// unknown method.
inline constexpr std::size_t kMethodLabelsMax = 96;
std::size_t method_label_index(std::string_view method);
std::span<const std::string_view> method_labels();

// The options for a call of this method: label and repeatability.
CallOptions options_for(std::string_view method);
// The options for a batch: labelled "batch", repeatable if every method in it is.
CallOptions options_for_batch(std::span<const std::string_view> methods);

}  // namespace fanfare::upstream
