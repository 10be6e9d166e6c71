#pragma once
// Checks a site's response before it is sent, and logs what could not be sent.

#include <span>

#include "http/answer.h"
#include "session/http_service.h"

namespace fanfare::session {

// Maximum number of distinct faults logged per process; later ones are still omitted but no longer logged.
inline constexpr std::size_t kAnswerFaultsLoggedMax = 64;

// Returns the part of the response that may be sent, after the fields `in_front`; its headers point into
// both. An omitted header (see http/answer.h) is logged once per name and reason, an invalid status once per
// status: the handler would repeat it with every request. Any thread.
http::Answer answer_of(const HttpResponse& response, std::span<const ws::OwnedHeader> in_front = {});

}  // namespace fanfare::session
