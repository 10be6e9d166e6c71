#include "relay/names.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace fanfare::relay {
namespace {

TEST(RelayNames, ATopicsNameBecomesATokenAndNoTwoTheSame) {
  EXPECT_EQ(token_of("stream:peers"), "stream=3Apeers");
  EXPECT_EQ(token_of("a.b*c>d e/f=g"), "a=2Eb=2Ac=3Ed=20e=2Ff=3Dg");
  EXPECT_EQ(token_of(std::string("\0\xff", 2)), "=00=FF");
  std::set<std::string> seen;
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_TRUE(seen.insert(*token_of(std::string(1, static_cast<char>(byte)))).second) << byte;
  }
}

TEST(RelayNames, ATokenHasItsLimit) {
  EXPECT_TRUE(token_of(std::string(kTokenBytesMax, 'a')));
  EXPECT_FALSE(token_of(std::string(kTokenBytesMax + 1, 'a')));
  EXPECT_TRUE(token_of(std::string(kTokenBytesMax / 3, '.')));
  EXPECT_FALSE(token_of(std::string(kTokenBytesMax / 3 + 1, '.')));
}

TEST(RelayNames, TheEpochIsTheEndOfTheSubject) {
  EXPECT_EQ(subject_of("fanfare", "t", 12), "fanfare.t.12");
  EXPECT_EQ(epoch_of("fanfare.t.12"), 12U);
  EXPECT_FALSE(epoch_of("fanfare.t.x"));
  EXPECT_FALSE(epoch_of("fanfare.t."));
  EXPECT_FALSE(epoch_of("12"));
}

TEST(RelayNames, ANoticeOfAnEpochSaysWhichTopicsAndIsNoOtherRelays) {
  EXPECT_EQ(epoch_notices_of("fanfare"), "fanfare=epochs.>");
  const std::string subject = epoch_notice_of("fanfare", "stream=3Apeers", 12);
  EXPECT_EQ(subject, "fanfare=epochs.stream=3Apeers.12");
  const auto notice = read_epoch_notice("fanfare", subject);
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->token, "stream=3Apeers");
  EXPECT_EQ(notice->epoch, 12U);
  for (const char* other : {"", "fanfare", "fanfare=epochs.", "fanfare=epochs.t", "fanfare=epochs.t.x",
                            "fan=epochs.t.12", "fanfare.t.12", "fanfare_live.t.12"}) {
    EXPECT_FALSE(read_epoch_notice("fanfare", other)) << other;
  }
}

TEST(RelayNames, ADeliverysSequencesAndTimeAreReadFromBothFormsOfTheReply) {
  const auto old_form = delivery_of("$JS.ACK.S.C.1.42.7.1700000000000000000.0");
  ASSERT_TRUE(old_form);
  EXPECT_EQ(*old_form, (Delivery{.stream = "S",
                                 .consumer = "C",
                                 .stream_sequence = 42,
                                 .consumer_sequence = 7,
                                 .time = 1700000000000000000}));
  EXPECT_EQ(delivery_of("$JS.ACK.domain.account.S.C.1.42.7.1700000000000000000.0.random"), old_form);
  for (const char* other : {"", "_INBOX.x.1", "$JS.ACK.S.C.1.42.7", "$JS.ACK.S.C.1.x.7.1.0",
                            "$JS.ACK.S.C.1.42.7.x.0", "$JS.FC.S.C.1.2.3.4.5"}) {
    EXPECT_FALSE(delivery_of(other)) << other;
  }
}

TEST(RelayNames, AcknowledgementsAreReadOrRefused) {
  const auto known = acknowledgement_of(R"({"stream":"S","seq":9,"duplicate":true})");
  EXPECT_EQ(known->sequence, 9U);
  EXPECT_TRUE(known->is_duplicate);
  EXPECT_FALSE(acknowledgement_of(R"({"stream":"S","seq":9})")->is_duplicate);
  const auto refused = acknowledgement_of(
      R"({"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"S","seq":0})");
  EXPECT_EQ(refused->sequence, 0U);
  EXPECT_EQ(refused->error, 10071);
  EXPECT_EQ(refused->description, "wrong last sequence: 3");
  for (const char* other : {"", "{}", "x", R"({"seq":0})", R"({"seq":"1"})"}) {
    EXPECT_FALSE(acknowledgement_of(other)) << other;
  }
}

TEST(RelayNames, AStreamWithoutALeaderStoresNothing) {
  for (const char* stores :
       {R"({"config":{},"state":{}})", R"({"config":{},"cluster":{"name":"c","leader":"s1","replicas":[]}})",
        R"({"error":{"code":404,"err_code":10059,"description":"stream not found"}})"}) {
    EXPECT_TRUE(says_it_stores(stores)) << stores;
  }
  for (
      const char* does_not :
      {R"({"config":{},"cluster":{"name":"c","replicas":[]}})", R"({"cluster":{"leader":""}})",
       R"({"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}})"}) {
    EXPECT_FALSE(says_it_stores(does_not)) << does_not;
  }
}

TEST(RelayNames, NoSecretOfAUrlIsLogged) {
  EXPECT_EQ(without_secret("nats://user:pa@ss@host:4222"), "nats://host:4222");
  EXPECT_EQ(without_secret("token@host:4222"), "host:4222");
  EXPECT_EQ(without_secret("nats://host:4222"), "nats://host:4222");
}

}  // namespace
}  // namespace fanfare::relay
