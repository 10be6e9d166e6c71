#pragma once
// The users of a room. Changes are collected: a user who joins and leaves between two messages is not mentioned. One thread.

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "canvas/limits.h"
#include "canvas/spec.h"

namespace fanfare::canvas {

// "u17" of 17.
std::string user_id_of(UserNumber user);
// Empty: it is not such a text.
std::optional<UserNumber> user_number_of(std::string_view user_id);

// What others see of a user.
struct Person {
  UserNumber user = 0;
  std::string name;          // valid UTF-8; may be empty
  std::uint32_t colour = 0;  // of his cursor, 0xRRGGBB

  bool operator==(const Person&) const = default;
};

// A name as others may see it: valid UTF-8, at most kNameCharactersMax characters, no control characters, and unless it is
// empty, a character that can be seen: spaces and marks of direction alone are no name.
bool is_valid_name(std::string_view name);
// 8 to 64 letters, digits, '-' and '_'.
bool is_valid_session(std::string_view session);

struct PresenceDelta {
  std::uint32_t total = 0;  // users connected
  std::vector<Person> joined;
  std::vector<UserNumber> left;
};

struct UserPage {
  std::vector<Person> users;  // by number
  bool is_complete = false;   // nobody follows
};

// Lists and pages have those that take_delta() has told of, so they and the changes that follow name each user once. The asker is the
// exception: he is in his own lists at once, and is not to be told of himself.
class Presence {
 public:
  explicit Presence(const Limits& limits) : limits_(limits) {}

  // The first connection of a user, and the end of his last one.
  void join(Person person);
  void leave(UserNumber user);

  std::size_t count() const { return here_.size(); }
  const Person* find(UserNumber user) const;
  // What has changed since the last call that returned something; empty: nothing, or presence_interval is not over.
  // What is too much for one message comes with the next ones, the users that came first before the others. Users are in the order of
  // their numbers.
  std::optional<PresenceDelta> take_delta(Instant now);
  // Those who are here count as known to all.
  void forget_news();
  // Whether take_delta() may return something after the interval.
  bool has_news() const { return !changed_.empty(); }
  // For a new connection: at most presence_listed_max, `asker` first, who may not have joined yet, then the newest ones. Others come
  // with page(). `total` counts those that all pages have.
  PresenceDelta list(const Person& asker) const;
  // The users whose numbers are greater than `after`, at most presence_listed_max. A client that asks for page after page, and follows
  // the changes meanwhile, knows all users.
  UserPage page(UserNumber after, UserNumber asker) const;

 private:
  struct Known {
    Person person;
    std::list<UserNumber>::iterator place;  // in order_
  };

  void add_known(const Person& person);

  const Limits& limits_;
  std::map<UserNumber, Person> here_;
  std::map<UserNumber, Known> known_;  // as all were told
  std::list<UserNumber> order_;        // of known_, as they were told
  std::set<UserNumber> changed_;       // only for these here_ and known_ may differ
  std::optional<Instant> last_delta_;
};

}  // namespace fanfare::canvas
