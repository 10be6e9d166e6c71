#pragma once
// One connection of a load with known answers: its reader, and its pending Pongs.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "bench/answers.h"
#include "bench/transport.h"

namespace fanfare::app {

struct BenchAnswering {
  explicit BenchAnswering(AnswerReader made) : reader(std::move(made)) {}

  // Sends pending Pongs if the connection can send. Returns true if a send is in progress or the connection
  // has ended, so that nothing else may be sent now.
  bool answer_pings(BenchTransport& transport, std::size_t index) {
    if (sending || ended || pongs.empty()) return sending || ended;
    pongs_under_way.swap(pongs);
    pongs.clear();
    sending = true;
    transport.send(index, pongs_under_way);
    return true;
  }

  AnswerReader reader;
  std::vector<std::uint8_t> pongs;
  std::vector<std::uint8_t> pongs_under_way;
  std::uint64_t received = 0;
  bool sending = false;
  bool ended = false;
};

}  // namespace fanfare::app
