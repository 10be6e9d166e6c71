#pragma once
// The users of a room: all connections of one identity are one user. Users who have left are remembered, so that they
// keep their number, their rate and what they can take back. One thread.

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "base/token_bucket.h"
#include "canvas/limits.h"
#include "canvas/presence.h"
#include "canvas/wire.h"

namespace fanfare::canvas {

struct User {
  static constexpr std::size_t kPayersMax = 4;

  UserNumber number = 0;
  std::string identity;             // empty: only one connection can be this user
  std::string name;                 // of his last connection
  std::vector<std::string> payers;  // the last ones, the newest first, each once; at most kPayersMax
  std::uint32_t connections = 0;
  TokenBucket pixels;
  TokenBucket chunks;
  Instant next_pixel{};         // by the cooldown
  std::uint64_t last_draw = 0;  // in UndoLog; 0: none
};

class Users {
 public:
  // Numbers start with `first`, at least 1: greater than any that the room's log has.
  Users(const Limits& limits, UserNumber first) : limits_(limits), next_(first) {}

  // One more connection. `identity`: a principal, or a session key; two kinds must not be able to collide. Empty: a
  // user of its own, forgotten after leaving. `payer`: the address, see Actor. Null: users_max are connected, or
  // there were kUserNumberMax users. Valid until the user is forgotten, which never happens during a connection.
  // `wanted`: for an identity that is unknown, the number that this user had before; 0: a new one.
  User* join(std::string_view identity, std::string_view name, std::string_view payer, UserNumber wanted = 0);
  // One connection less. The user must be connected. True: it was his last one.
  bool leave(UserNumber user);

  // Null: unknown, or forgotten.
  User* find(UserNumber user);
  const User* find(UserNumber user) const;
  // 0: unknown, or forgotten.
  UserNumber number_of(std::string_view identity) const;
  // The cooldown is longer by this, also for those who wait.
  void shift_cooldowns(Duration by);
  // Connected and remembered.
  std::size_t count() const { return users_.size(); }
  // Everything but their rates and cooldowns: equal users give equal bytes. load() needs users without anybody; false: it was not
  // written by save(). `visit` gets each one that is connected.
  void save(WireWriter& out) const;
  bool load(WireReader& in);
  // The greatest User::last_draw.
  std::uint64_t last_draw_max() const;
  template <typename Visit>
  void for_each_connected(Visit visit) const {
    for (const UserNumber number : connected()) visit(users_.at(number)->user);
  }

 private:
  struct Slot {
    User user;
    std::list<UserNumber>::iterator in_left;  // only while nobody is connected
  };

  bool make_room();
  void forget(UserNumber user);
  User* add(std::string_view identity, UserNumber number);
  // By number.
  std::vector<UserNumber> connected() const;
  bool load_user(WireReader& in);

  const Limits& limits_;
  UserNumber next_;
  std::unordered_map<UserNumber, std::unique_ptr<Slot>> users_;
  std::unordered_map<std::string, UserNumber> by_identity_;
  std::list<UserNumber> left_;  // remembered, the first one left first
};

}  // namespace fanfare::canvas
