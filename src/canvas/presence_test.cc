#include "canvas/presence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "canvas/cursors.h"

namespace fanfare::canvas {
namespace {

using std::chrono::milliseconds;

constexpr Instant kPresenceStart{std::chrono::hours(1)};

TEST(Presence, NamesAndSessionsAreValidated) {
  EXPECT_TRUE(is_valid_name(""));
  EXPECT_TRUE(is_valid_name("Zoë 🎨"));
  EXPECT_TRUE(is_valid_name(std::string(kNameCharactersMax, 'a')));
  EXPECT_FALSE(is_valid_name(std::string(kNameCharactersMax + 1, 'a')));
  std::string wide;
  for (std::size_t i = 0; i < kNameCharactersMax; ++i) wide += "\xF0\x9F\x8E\xA8";
  EXPECT_TRUE(is_valid_name(wide)) << "characters, not bytes";
  EXPECT_FALSE(is_valid_name(wide + "a"));
  EXPECT_FALSE(is_valid_name("a\nb"));
  EXPECT_FALSE(is_valid_name(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_valid_name("\x7F"));
  EXPECT_FALSE(is_valid_name("\xC2\x85")) << "a control character in two bytes";
  EXPECT_TRUE(is_valid_name("\xC2\xA0z")) << "a space that does not break";
  EXPECT_TRUE(is_valid_name("\u200Fשלום"));
  for (const char* nothing : {" ", "   ", "\xC2\xA0", "\u200B\u200D", "\u202E", "\u2066\u2069 ", "\uFEFF",
                              "\u3000", "\u3164", "\u2800", "\uFE0F", "\U000E0041"}) {
    EXPECT_FALSE(is_valid_name(nothing)) << "nothing can be seen: " << nothing;
  }
  EXPECT_FALSE(is_valid_name("\xC3")) << "cut off";
  EXPECT_FALSE(is_valid_name("\xED\xA0\x80")) << "a surrogate";

  EXPECT_TRUE(is_valid_session("abc-DEF_"));
  EXPECT_FALSE(is_valid_session("abc-DEF"));
  EXPECT_TRUE(is_valid_session(std::string(kSessionBytesMax, '0')));
  EXPECT_FALSE(is_valid_session(std::string(kSessionBytesMax + 1, '0')));
  EXPECT_FALSE(is_valid_session("abc DEF_"));
}

TEST(Presence, UserIdsAreNumbersWithALetter) {
  EXPECT_EQ(user_id_of(17), "u17");
  EXPECT_EQ(user_number_of("u17"), 17U);
  EXPECT_EQ(user_number_of("u4294967295"), kUserNumberMax);
  for (const char* wrong : {"", "u", "17", "u0", "u017", "u-1", "u1x", "u4294967296", "U1"}) {
    EXPECT_FALSE(user_number_of(wrong)) << wrong;
  }
}

Person person(UserNumber user) {
  return {.user = user, .name = "n" + std::to_string(user), .colour = user};
}

TEST(Presence, ChangesAreGathered) {
  const Limits limits;
  Presence presence(limits);
  EXPECT_FALSE(presence.take_delta(kPresenceStart));
  presence.join(person(1));
  presence.join(person(2));
  presence.join(person(3));
  presence.leave(3);
  auto delta = presence.take_delta(kPresenceStart);
  ASSERT_TRUE(delta);
  EXPECT_EQ(delta->total, 2U);
  EXPECT_EQ(delta->joined.size(), 2U) << "3 came and went";
  EXPECT_TRUE(delta->left.empty());

  presence.leave(1);
  presence.join(person(4));
  EXPECT_FALSE(presence.take_delta(kPresenceStart + limits.presence_interval - Duration(1)));
  delta = presence.take_delta(kPresenceStart + limits.presence_interval);
  ASSERT_TRUE(delta);
  EXPECT_EQ(delta->joined, std::vector{person(4)});
  EXPECT_EQ(delta->left, std::vector<UserNumber>{1});

  presence.leave(2);
  presence.join(person(2));
  EXPECT_FALSE(presence.take_delta(kPresenceStart + 9 * limits.presence_interval))
      << "back before anybody knew";
  EXPECT_EQ(presence.find(2)->name, "n2");
  EXPECT_EQ(presence.find(1), nullptr);
}

TEST(Presence, AMessageNamesALimitedNumberAndTheNextOnesTheRest) {
  const Limits limits{.presence_joined_max = 2, .presence_left_max = 3};
  Presence presence(limits);
  Instant now = kPresenceStart;
  const auto next = [&] { return presence.take_delta(now += limits.presence_interval); };
  for (UserNumber user = 1; user <= 2; ++user) presence.join(person(user));
  EXPECT_EQ(next()->joined.size(), 2U);
  EXPECT_FALSE(next()) << "exactly the limit leaves nothing for later";
  for (UserNumber user = 3; user <= 7; ++user) presence.join(person(user));
  auto delta = next();
  EXPECT_EQ(delta->joined, (std::vector{person(3), person(4)}));
  EXPECT_EQ(delta->total, 7U);
  EXPECT_FALSE(presence.take_delta(now)) << "the rest waits for the interval, too";
  presence.leave(5);  // nobody knew
  for (UserNumber user = 1; user <= 4; ++user) presence.leave(user);
  delta = next();
  EXPECT_EQ(delta->joined, (std::vector{person(6), person(7)}));
  EXPECT_EQ(delta->left, (std::vector<UserNumber>{1, 2, 3}));
  EXPECT_EQ(delta->total, 2U);
  delta = next();
  EXPECT_TRUE(delta->joined.empty());
  EXPECT_EQ(delta->left, std::vector<UserNumber>{4});
  EXPECT_FALSE(next());
}

TEST(Presence, OfTwoHundredAtOnceEverybodyIsNamedOnce) {
  const Limits limits;
  Presence presence(limits);
  for (UserNumber user = 1; user <= 200; ++user) presence.join(person(user));
  std::vector<Person> named;
  Instant now = kPresenceStart;
  for (auto delta = presence.take_delta(now); delta;
       delta = presence.take_delta(now += limits.presence_interval)) {
    EXPECT_LE(delta->joined.size(), limits.presence_joined_max);
    named.insert(named.end(), delta->joined.begin(), delta->joined.end());
  }
  ASSERT_EQ(named.size(), 200U);
  for (UserNumber user = 1; user <= 200; ++user) EXPECT_EQ(named[user - 1], person(user));
}

TEST(Presence, TheListHasTheAskerAndTheNewestUsers) {
  const Limits limits{.presence_listed_max = 3};
  Presence presence(limits);
  Instant now = kPresenceStart;
  const auto tell = [&] { return presence.take_delta(now += limits.presence_interval); };
  for (UserNumber user = 1; user <= 3; ++user) presence.join(person(user));
  tell();
  EXPECT_EQ(presence.list(person(3)).joined.size(), 3U);
  presence.join(person(4));
  tell();
  // Coming back does not list anybody twice.
  for (int i = 0; i < 100; ++i) {
    presence.leave(2);
    tell();
    presence.join(person(2));
    tell();
  }
  const PresenceDelta list = presence.list(person(1));
  EXPECT_EQ(list.total, 4U);
  EXPECT_EQ(list.joined, (std::vector{person(1), person(2), person(4)})) << "the asker in any case";
  EXPECT_EQ(presence.list(person(9)).joined, (std::vector{person(9), person(2), person(4)}))
      << "also before he has joined";
  EXPECT_EQ(presence.list(person(9)).total, 5U);
}

TEST(Presence, PagesNameEverybody) {
  Limits limits;
  limits.presence_joined_max = 500;
  Presence presence(limits);
  for (UserNumber user = 1; user <= 500; ++user) presence.join(person(user));
  EXPECT_TRUE(presence.page(0, 0).users.empty())
      << "a user who was not reported yet comes with the next delta";
  EXPECT_EQ(presence.page(0, 7).users, std::vector{person(7)}) << "the asker knows himself";
  EXPECT_TRUE(presence.page(0, 7).is_complete);
  EXPECT_TRUE(presence.page(7, 7).users.empty());
  ASSERT_TRUE(presence.take_delta(kPresenceStart));
  presence.join(person(501));
  std::vector<Person> named;
  UserPage page;
  std::size_t pages = 0;
  do {
    page = presence.page(named.empty() ? 0 : named.back().user, 501);
    EXPECT_LE(page.users.size(), limits.presence_listed_max);
    named.insert(named.end(), page.users.begin(), page.users.end());
  } while (++pages < 10 && !page.is_complete);
  EXPECT_EQ(pages, 3U);
  ASSERT_EQ(named.size(), 501U);
  for (UserNumber user = 1; user <= 501; ++user) EXPECT_EQ(named[user - 1], person(user));
  EXPECT_TRUE(presence.page(300, 0).is_complete) << "exactly the limit";
  EXPECT_FALSE(presence.page(299, 0).is_complete) << "one past it";
  EXPECT_FALSE(presence.page(300, 501).is_complete) << "the asker does not fit";
  EXPECT_TRUE(presence.page(301, 501).is_complete);
  EXPECT_TRUE(presence.page(500, 0).is_complete);
  EXPECT_TRUE(presence.page(500, 0).users.empty());
}

TEST(Presence, WhoComesAndLeavesUnderAnotherNameLeavesFirst) {
  const Limits limits;
  Presence presence(limits);
  Instant now = kPresenceStart;
  presence.join(person(1));
  ASSERT_TRUE(presence.take_delta(now));
  presence.leave(1);
  const Person renamed{.user = 1, .name = "other", .colour = 1};
  presence.join(renamed);
  auto delta = presence.take_delta(now += limits.presence_interval);
  ASSERT_TRUE(delta);
  EXPECT_EQ(delta->left, std::vector<UserNumber>{1});
  EXPECT_TRUE(delta->joined.empty());
  EXPECT_TRUE(presence.has_news());
  delta = presence.take_delta(now += limits.presence_interval);
  ASSERT_TRUE(delta);
  EXPECT_TRUE(delta->left.empty());
  EXPECT_EQ(delta->joined, std::vector{renamed});
  EXPECT_FALSE(presence.has_news());
}

// Clients join at random moments. To each of them no user is reported twice, neither in the list, nor in the pages, nor in the changes
// after them; no user leaves who was not reported before; and at the end each client knows exactly the users who are here.
TEST(Presence, EachUserIsNamedOnce) {
  SeededRandom random(11);
  const Limits limits{.presence_joined_max = 3, .presence_left_max = 2, .presence_listed_max = 1000};
  Presence presence(limits);
  std::set<UserNumber> here;
  struct Client {
    UserNumber user;
    std::set<UserNumber> known;
  };
  std::vector<Client> clients;
  Instant now = kPresenceStart;
  const auto tell = [&] {
    const auto delta = presence.take_delta(now += limits.presence_interval);
    if (!delta) return;
    for (Client& client : clients) {
      for (const Person& joined : delta->joined) {
        if (joined.user != client.user) EXPECT_TRUE(client.known.insert(joined.user).second) << joined.user;
      }
      for (const UserNumber left : delta->left) {
        if (left != client.user) EXPECT_EQ(client.known.erase(left), 1U) << left;
      }
    }
  };
  for (int i = 0; i < 3000; ++i) {
    const auto user = static_cast<UserNumber>(1 + random.below(30));
    const bool is_client = std::ranges::any_of(clients, [&](const Client& one) { return one.user == user; });
    if (!here.contains(user)) {
      here.insert(user);
      presence.join(person(user));
    } else if (!is_client) {
      here.erase(user);
      presence.leave(user);
    }
    if (here.contains(user) && random.below(100) == 0) {
      Client client{.user = user, .known = {}};
      for (const Person& one : presence.list(person(user)).joined) client.known.insert(one.user);
      std::set<UserNumber> paged;
      for (const Person& one : presence.page(0, user).users) paged.insert(one.user);
      EXPECT_EQ(paged, client.known);
      clients.push_back(std::move(client));
      if (clients.size() > 8) clients.erase(clients.begin());
    }
    if (random.below(3) == 0) tell();
  }
  while (presence.has_news()) tell();
  ASSERT_FALSE(clients.empty());
  for (const Client& client : clients) EXPECT_EQ(client.known, here);
}

constexpr ChunkArea kLeft{.x0 = 0, .y0 = 0, .x1 = 0, .y1 = 0};
constexpr ChunkArea kRight{.x0 = 1, .y0 = 0, .x1 = 1, .y1 = 0};
constexpr ChunkArea kBoth{.x0 = 0, .y0 = 0, .x1 = 1, .y1 = 0};

class CursorsTest : public testing::Test {
 protected:
  // The next moment at which a round may start.
  bool round() {
    now_ += milliseconds(50);
    return cursors_.start_round(now_);
  }

  Limits limits_;
  Cursors cursors_{limits_};
  Instant now_ = kPresenceStart;
};

TEST_F(CursorsTest, TheLatestPositionCounts) {
  EXPECT_FALSE(round());
  cursors_.move(1, 10, 20);
  cursors_.move(1, 11, 21);
  ASSERT_TRUE(round());
  EXPECT_EQ(cursors_.moves_in(kLeft), (std::vector<CursorMove>{{.user = 1, .x = 11, .y = 21}}));
  EXPECT_TRUE(cursors_.moves_in(kRight).empty());
  EXPECT_EQ(cursors_.all_in(kBoth), cursors_.moves_in(kLeft));
  cursors_.move(1, 11, 21);
  EXPECT_FALSE(round()) << "it has not moved";
}

TEST_F(CursorsTest, RoundsHaveARate) {
  cursors_.move(1, 10, 20);
  ASSERT_TRUE(cursors_.start_round(kPresenceStart));
  cursors_.move(1, 11, 20);
  EXPECT_FALSE(cursors_.start_round(kPresenceStart + milliseconds(50) - Duration(1)));
  EXPECT_EQ(cursors_.moves_in(kLeft).at(0).x, 10);
  EXPECT_TRUE(cursors_.start_round(kPresenceStart + milliseconds(50)));
  EXPECT_EQ(cursors_.moves_in(kLeft).at(0).x, 11);
}

TEST_F(CursorsTest, ACursorThatLeavesAnAreaIsGoneForThoseWhoWatchOnlyThat) {
  cursors_.move(1, 255, 20);
  ASSERT_TRUE(round());
  cursors_.move(1, 256, 20);
  ASSERT_TRUE(round());
  EXPECT_EQ(cursors_.moves_in(kLeft), std::vector{CursorMove::left(1)});
  const std::vector<CursorMove> moved{{.user = 1, .x = 256, .y = 20}};
  EXPECT_EQ(cursors_.moves_in(kRight), moved);
  EXPECT_EQ(cursors_.moves_in(kBoth), moved) << "once";
  EXPECT_TRUE(cursors_.all_in(kLeft).empty());
  EXPECT_EQ(cursors_.all_in(kRight), moved);
  cursors_.remove(1);
  ASSERT_TRUE(round());
  EXPECT_TRUE(cursors_.moves_in(kLeft).empty());
  EXPECT_EQ(cursors_.moves_in(kRight), std::vector{CursorMove::left(1)});
  EXPECT_EQ(cursors_.count(), 0U);
  cursors_.remove(2);
  EXPECT_FALSE(round()) << "it was never shown";
}

TEST_F(CursorsTest, ARoundHasALimitAndNobodyWaitsForever) {
  limits_.cursors_per_round_max = 3;
  for (UserNumber user = 1; user <= 3; ++user) cursors_.move(user, 1, 1);
  ASSERT_TRUE(round());
  EXPECT_EQ(cursors_.moves_in(kLeft).size(), 3U);
  for (UserNumber user = 1; user <= 4; ++user) cursors_.move(user, 2, 2);
  ASSERT_TRUE(round());
  EXPECT_EQ(cursors_.moves_in(kLeft).size(), 3U);
  // Those who keep moving do not hold up the one who waits.
  for (UserNumber user = 1; user <= 3; ++user) cursors_.move(user, 3, 3);
  ASSERT_TRUE(round());
  const auto moves = cursors_.moves_in(kLeft);
  EXPECT_EQ(moves.size(), 3U);
  EXPECT_EQ(std::ranges::count(moves, 4U, &CursorMove::user), 1);
  EXPECT_EQ(cursors_.all_in(kBoth).size(), 3U) << "of 4";
}

TEST_F(CursorsTest, EachWatcherEndsWithTheCursorsOfHisArea) {
  SeededRandom random(5);
  const std::vector<ChunkArea> areas{
      kLeft, kRight, kBoth, {.x0 = 0, .y0 = 0, .x1 = 3, .y1 = 3}, {.x0 = 1, .y0 = 1, .x1 = 2, .y1 = 3}};
  std::vector<std::map<UserNumber, std::pair<int, int>>> seen(areas.size());
  std::map<UserNumber, std::pair<int, int>> truth;
  limits_.cursors_per_round_max = 10;
  for (int i = 0; i < 2000; ++i) {
    const auto user = static_cast<UserNumber>(1 + random.below(30));
    if (random.below(5) == 0) {
      cursors_.remove(user);
      truth.erase(user);
    } else {
      const auto x = static_cast<std::uint16_t>(random.below(1024));
      const auto y = static_cast<std::uint16_t>(random.below(1024));
      cursors_.move(user, x, y);
      truth[user] = {x, y};
    }
    for (bool more = i % 5 == 0 || i == 1999; more; more = i == 1999 && more) {
      more = round();
      if (!more) break;
      for (std::size_t area = 0; area < areas.size(); ++area) {
        for (const CursorMove& move : cursors_.moves_in(areas[area])) {
          if (move.has_left) {
            seen[area].erase(move.user);
          } else {
            seen[area][move.user] = {move.x, move.y};
          }
        }
      }
      if (i != 1999) break;
    }
  }
  for (std::size_t area = 0; area < areas.size(); ++area) {
    std::map<UserNumber, std::pair<int, int>> expected;
    for (const auto& [user, at] : truth) {
      if (areas[area].contains(
              chunk_of(static_cast<std::uint16_t>(at.first), static_cast<std::uint16_t>(at.second)))) {
        expected[user] = at;
      }
    }
    EXPECT_EQ(seen[area], expected) << area;
  }
}

}  // namespace
}  // namespace fanfare::canvas
