#pragma once
// Which JSON-RPC methods only read, so that a call may be made again after some of it was sent.
//
// The table names the reads. Everything else (sending transactions, signing, mining, filters that are used up
// by reading them, engine calls, methods nobody here has heard of) is sent to one node, once.

#include <cstddef>
#include <span>
#include <string_view>

#include "upstream/backend.h"

namespace fanfare::upstream {

Repeat repeat_of(std::string_view method);

// Whether the method makes what was answered about settled blocks wrong: development nodes write state and
// history (anvil_setBalance, evm_revert), and geth goes back (debug_setHead). Sending a transaction does not.
bool rewrites_the_past(std::string_view method);

// Labels for metrics: their number is fixed, whatever clients ask. The index of "other" for an unknown
// method.
inline constexpr std::size_t kMethodLabelsMax = 96;
std::size_t method_label_index(std::string_view method);
std::span<const std::string_view> method_labels();

// What a call of this method should be made with: label and repeatability.
CallOptions options_for(std::string_view method);
// The same for a batch: labelled "batch", repeatable when every method in it is.
CallOptions options_for_batch(std::span<const std::string_view> methods);

}  // namespace fanfare::upstream
