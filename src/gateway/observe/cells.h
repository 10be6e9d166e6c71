#pragma once
// What the access log and the exporter of traces count. Any thread.

#include "gateway/metrics_values.h"

namespace fanfare::gateway {

// Why something was not recorded.
enum class Unrecorded : std::uint8_t {
  queue,   // too many were waiting
  failed,  // the disk, or the collector, did not take it
  count_,
};

struct ObserveCells {
  Counter lines;  // of the access log, written
  PerEach<Unrecorded> lines_dropped;
  Counter spans;  // that a collector has accepted
  PerEach<Unrecorded> spans_dropped;
};

}  // namespace fanfare::gateway
