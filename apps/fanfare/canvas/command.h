#pragma once
// `fanfare canvas export`: pictures of a canvas, now or at past moments.

#include <cstdint>
#include <expected>
#include <ostream>
#include <string>
#include <vector>

#include "arguments.h"

namespace fanfare::app {

// Returns the exit status: 0; 1: the source or the output failed; 2: an argument is wrong.
int run_canvas_export(const CanvasExportArguments& arguments, std::ostream& out, std::ostream& complaints);

// "1764230400000", "2026-11-27T08:00:00Z" or "2026-11-27": milliseconds since 1970. The error: neither.
std::expected<std::int64_t, std::string> parse_moment(std::string_view text);

// The moments of a timelapse: from `first` to `last`, both included. `every_ms` or, if that is 0, `frames` in equal steps.
std::vector<std::int64_t> moments_of(std::int64_t first, std::int64_t last, std::int64_t every_ms,
                                     std::uint64_t frames);

// "frame-%05d.png" with this number in place of %05d (or %d, %3d, ...). Empty: there is no such place.
std::string numbered(std::string_view pattern, std::uint64_t number);

}  // namespace fanfare::app
