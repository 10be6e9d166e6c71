#pragma once
// An id of its own for each call over HTTP. Callers use the same one for all of their calls, so an answer to another call on the
// same connection would look right. A node that answers once more than it was asked, or a proxy in between, makes such answers.
// No I/O.

#include <cstdint>
#include <string>

#include "upstream/backend.h"

namespace fanfare::upstream {

struct CallId {
  std::string asked;  // by the caller; empty: the call has none that can be replaced, as a batch
  std::string sent;
};

// Replaces the id in a request.
CallId give_id(std::string& body, std::uint64_t number);
// The opposite for its answer. False: it is the answer to another call. One without an id is the caller's to judge.
bool take_id_back(Reply& reply, const CallId& id);

}  // namespace fanfare::upstream
