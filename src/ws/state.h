#pragma once
// RFC6455§7.1: how a connection ends, as a table.
//
//            close() / send Close            peer's Close
//     open ------------------------> closing ------------> closed
//      |  \________ peer's Close / echo it ________________^
//      |  any rule broken / send Close
//      +------------------------> failed <---- closing (a Close was sent already)
//
// In `closing` we still read and still answer pings, but send no data (RFC6455§5.5.1). In `closed` and
// `failed` all further input is discarded (RFC6455§7.1.7).

#include <array>
#include <cstddef>
#include <cstdint>

namespace fanfare::ws {

enum class State : std::uint8_t { open, closing, closed, failed };
enum class Input : std::uint8_t { close, peer_close, failure };
enum class Action : std::uint8_t { nothing, send_close, echo_close };

struct Transition {
  State next;
  Action action;
};

inline constexpr std::array<std::array<Transition, 3>, 4> kTransitions = {{
    // close, peer_close, failure
    {{{State::closing, Action::send_close},
      {State::closed, Action::echo_close},
      {State::failed, Action::send_close}}},  // open
    {{{State::closing, Action::nothing},
      {State::closed, Action::nothing},
      {State::failed, Action::nothing}}},  // closing
    {{{State::closed, Action::nothing},
      {State::closed, Action::nothing},
      {State::closed, Action::nothing}}},  // closed
    {{{State::failed, Action::nothing},
      {State::failed, Action::nothing},
      {State::failed, Action::nothing}}},  // failed
}};

constexpr Transition transition(State state, Input input) {
  return kTransitions[static_cast<std::size_t>(state)][static_cast<std::size_t>(input)];
}

// Whether received data is still processed.
constexpr bool is_reading(State state) {
  return state == State::open || state == State::closing;
}

}  // namespace fanfare::ws
