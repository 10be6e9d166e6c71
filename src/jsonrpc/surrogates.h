#pragma once
// Lone surrogates in JSON from others. RFC8259§8.2 leaves "\ud800" open, and it has no UTF-8 form, so Scanner refuses it. But nodes pass on names that strangers
// chose, and one such name must not make a whole answer unusable.

#include <string>

namespace fanfare::jsonrpc {

// Replaces the escape of every surrogate that is not part of a pair by that of U+FFFD, as JavaScript's toWellFormed() does; the length stays the
// same. Returns whether there was one. `text` need not be valid JSON.
bool replace_lone_surrogates(std::string& text);

}  // namespace fanfare::jsonrpc
