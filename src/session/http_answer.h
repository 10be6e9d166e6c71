#pragma once
// A site's answer on its way out: checked, with what could not be sent in the log.

#include <span>

#include "http/answer.h"
#include "session/site.h"

namespace fanfare::session {

// How many different things are logged in a process; later ones are still left out, but no longer logged.
inline constexpr std::size_t kAnswerFaultsLoggedMax = 64;

// What of the response goes out, behind the fields that stand `in_front`; its headers point into both. A header that was left out
// (http/answer.h says which) is logged once for each name and reason, a status that no answer has once for
// each status: a handler that does it would do it with every request. Any thread.
http::Answer answer_of(const HttpResponse& response, std::span<const ws::OwnedHeader> in_front = {});

}  // namespace fanfare::session
