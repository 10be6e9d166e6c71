#include "ws/extension.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fanfare::ws {
namespace {

using ::testing::ElementsAre;

// No limit on windows, so that the results come from the offer.
constexpr DeflateOptions kWide{.server_max_window_bits = 15, .client_max_window_bits = 15};

constexpr DeflateOptions wide(bool server_no_context_takeover, bool client_no_context_takeover) {
  return {.server_no_context_takeover = server_no_context_takeover,
          .client_no_context_takeover = client_no_context_takeover,
          .server_max_window_bits = 15,
          .client_max_window_bits = 15};
}

std::expected<std::vector<Extension>, Rule> parsed(std::initializer_list<std::string_view> values) {
  std::vector<HeaderField> headers;
  for (const std::string_view value : values) {
    headers.push_back({"Host", "not, an; extension"});
    headers.push_back({"sec-websocket-EXTENSIONS", value});
  }
  return parse_extensions(headers);
}

// A server's reply to this header with these options; "-" if it declines.
std::string answer(std::string_view offer, const DeflateOptions& options = kWide) {
  const auto offers = parsed({offer});
  if (!offers) return "malformed";
  const auto agreement = accept_deflate(*offers, options);
  return agreement ? agreement->header_value : "-";
}

std::string_view rule_of_response(std::string_view response, const DeflateOptions& offered = kWide) {
  const auto accepted = parsed({response});
  if (!accepted) return info(accepted.error()).name;
  const auto checked = check_deflate_response(*accepted, offered);
  return checked ? "accepted" : info(checked.error()).name;
}

std::string_view rule_of_terms(std::string_view offer, DeflateMessage message = DeflateMessage::offer) {
  const auto terms = read_deflate_terms(parsed({offer}).value().front(), message);
  return terms ? "accepted" : info(terms.error()).name;
}

TEST(ExtensionHeader, ReadsListsOverSeveralHeaders_RFC6455_9_1) {
  EXPECT_THAT(parsed({"foo", "bar; baz=2, qux;a;b=\"c\""}).value(),
              ElementsAre(Extension{"foo", {}}, Extension{"bar", {{"baz", "2"}}},
                          Extension{"qux", {{"a", std::nullopt}, {"b", "c"}}}));
  EXPECT_TRUE(parse_extensions({})->empty());
}

TEST(ExtensionHeader, AllowsSpaceAndEmptyElements_RFC6455_9_1) {
  EXPECT_THAT(parsed({"\t , ,a ;  b = 1 ;c= \"d\\e\" , "}).value(),
              ElementsAre(Extension{"a", {{"b", "1"}, {"c", "de"}}}));
}

TEST(ExtensionHeader, RefusesWhatIsOutsideTheGrammar_RFC6455_9_1) {
  for (const char* value : {"",           " ",           ",",
                            "a;",         "a;;b",        "a; =1",
                            "a; b=",      "a; b=,",      "a b",
                            "a; b c",     "a; b=c d",    "a; b=\"",
                            "a; b=\"c",   "a; b=\"\"",   "a; b=\"c d\"",
                            "a; b=\"c\\", "a; b=\"c\"d", "a; b=\"c\\\"\"",
                            ";a",         "=a",          "\"a\"",
                            "a/b",        "a;b==c",      "\x80",
                            "a\x01"}) {
    const auto extensions = parsed({value});
    ASSERT_FALSE(extensions.has_value()) << value;
    EXPECT_EQ(extensions.error(), Rule::extension_header_malformed) << value;
  }
}

TEST(ExtensionHeader, LimitsExtensionsAndParameters_RFC6455_10_4) {
  std::string parameters = "a";
  for (std::size_t count = 0; count < kExtensionParametersMax; ++count) parameters += ";p";
  EXPECT_EQ(parsed({parameters})->front().parameters.size(), kExtensionParametersMax);
  EXPECT_EQ(parsed({parameters + ";p"}).error(), Rule::handshake_too_large);

  std::string list = "a";
  for (std::size_t count = 1; count < kExtensionsMax; ++count) list += ",a";
  EXPECT_EQ(parsed({list})->size(), kExtensionsMax);
  EXPECT_EQ(parsed({list, "a"}).error(), Rule::handshake_too_large);
}

TEST(DeflateNegotiation, AnswersEveryLegalOffer_RFC7692_7_1) {
  struct Case {
    std::string_view offer;
    std::string_view answer;
  };
  const Case cases[] = {
      {"permessage-deflate", "permessage-deflate"},
      {"permessage-deflate; client_max_window_bits", "permessage-deflate"},
      {"permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"},
      {"permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"},
      {"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"},
      {"permessage-deflate; server_max_window_bits=\"12\"", "permessage-deflate; server_max_window_bits=12"},
      {"permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15"},
      {"permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=9"},
      {"permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=8"},
      {"permessage-deflate; client_max_window_bits=15", "permessage-deflate"},
      {"permessage-deflate; client_max_window_bits; server_max_window_bits=9; client_no_context_takeover; "
       "server_no_context_takeover",
       "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
       "server_max_window_bits=9"},
      {"x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"},
      {"x-webkit-deflate-frame", "-"},
      {"PERMESSAGE-DEFLATE", "-"},
  };
  for (const Case& c : cases) EXPECT_EQ(answer(c.offer), c.answer) << c.offer;
}

TEST(DeflateNegotiation, FallsBackToTheNextOffer_RFC7692_5_1) {
  EXPECT_EQ(answer("permessage-deflate; server_max_window_bits=8, permessage-deflate"), "permessage-deflate");
  EXPECT_EQ(answer("permessage-deflate; mystery, permessage-deflate; server_max_window_bits=11"),
            "permessage-deflate; server_max_window_bits=11");
  EXPECT_EQ(answer("permessage-deflate; server_max_window_bits=10, permessage-deflate"),
            "permessage-deflate; server_max_window_bits=10")
      << "the client's order counts";
}

TEST(DeflateNegotiation, DeclinesAWindowThatCannotBeHad_RFC7692_7_1_2_1) {
  EXPECT_EQ(answer("permessage-deflate; server_max_window_bits=8"), "-");
}

TEST(DeflateNegotiation, DeclinesUnknownParameters_RFC7692_7_1) {
  EXPECT_EQ(rule_of_terms("permessage-deflate; mystery"), "extension_parameter_unknown");
  EXPECT_EQ(rule_of_terms("permessage-deflate; Server_No_Context_Takeover"), "extension_parameter_unknown");
  EXPECT_EQ(answer("permessage-deflate; mystery=1"), "-");
}

TEST(DeflateNegotiation, DeclinesRepeatedParameters_RFC7692_7_1) {
  for (const char* offer : {"permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
                            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
                            "permessage-deflate; client_max_window_bits; client_max_window_bits",
                            "permessage-deflate; client_max_window_bits; client_max_window_bits=10"}) {
    EXPECT_EQ(rule_of_terms(offer), "extension_parameter_repeated") << offer;
    EXPECT_EQ(answer(offer), "-") << offer;
  }
}

TEST(DeflateNegotiation, DeclinesServerTakeoverWithValue_RFC7692_7_1_1_1) {
  EXPECT_EQ(rule_of_terms("permessage-deflate; server_no_context_takeover=true"),
            "extension_server_takeover_invalid");
  EXPECT_EQ(answer("permessage-deflate; server_no_context_takeover=1"), "-");
}

TEST(DeflateNegotiation, DeclinesClientTakeoverWithValue_RFC7692_7_1_1_2) {
  EXPECT_EQ(rule_of_terms("permessage-deflate; client_no_context_takeover=\"true\""),
            "extension_client_takeover_invalid");
  EXPECT_EQ(answer("permessage-deflate; client_no_context_takeover=1"), "-");
}

TEST(DeflateNegotiation, DeclinesServerWindowsOutsideTheRange_RFC7692_7_1_2_1) {
  for (const char* offer :
       {"permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=1e1", "permessage-deflate; server_max_window_bits=-9",
        "permessage-deflate; server_max_window_bits=99999999999999999999"}) {
    EXPECT_EQ(rule_of_terms(offer), "extension_server_window_invalid") << offer;
    EXPECT_EQ(answer(offer), "-") << offer;
  }
}

TEST(DeflateNegotiation, DeclinesClientWindowsOutsideTheRange_RFC7692_7_1_2_2) {
  for (const char* offer :
       {"permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=015", "permessage-deflate; client_max_window_bits=x"}) {
    EXPECT_EQ(rule_of_terms(offer), "extension_client_window_invalid") << offer;
    EXPECT_EQ(answer(offer), "-") << offer;
  }
  EXPECT_EQ(rule_of_terms("permessage-deflate; client_max_window_bits"), "accepted");
  EXPECT_EQ(rule_of_terms("permessage-deflate; client_max_window_bits", DeflateMessage::response),
            "extension_client_window_invalid");
}

TEST(DeflateNegotiation, AppliesTheServersPolicy_RFC7692_7_1) {
  const DeflateOptions small{.server_no_context_takeover = true,
                             .client_no_context_takeover = true,
                             .server_max_window_bits = 11,
                             .client_max_window_bits = 12};
  EXPECT_EQ(answer("permessage-deflate; client_max_window_bits", small),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=11; client_max_window_bits=12");
  EXPECT_EQ(answer("permessage-deflate; client_max_window_bits=10; server_max_window_bits=9", small),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=9; client_max_window_bits=10");
  EXPECT_EQ(answer("permessage-deflate", {.enabled = false}), "-");
}

TEST(DeflateNegotiation, LimitsNoClientThatDidNotOfferIt_RFC7692_7_1_2_2) {
  const DeflateOptions small{.server_max_window_bits = 15, .client_max_window_bits = 10};
  EXPECT_EQ(answer("permessage-deflate", small), "permessage-deflate");
  EXPECT_EQ(accept_deflate(parsed({"permessage-deflate"}).value(), small)->parameters.client_max_window_bits,
            15);
}

TEST(DeflateNegotiation, OffersWhatTheOptionsSay_RFC7692_7_1) {
  EXPECT_EQ(deflate_offer(kWide), "permessage-deflate; client_max_window_bits");
  EXPECT_EQ(deflate_offer({}), "permessage-deflate; server_max_window_bits=12; client_max_window_bits");
  EXPECT_EQ(deflate_offer({.enabled = false}), "");
  EXPECT_EQ(deflate_offer({.server_no_context_takeover = true,
                           .client_no_context_takeover = true,
                           .server_max_window_bits = 10,
                           .client_max_window_bits = 11}),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=10; client_max_window_bits");
  EXPECT_EQ(deflate_offer({.server_max_window_bits = 15}), "permessage-deflate; client_max_window_bits")
      << "what a client offers by default";
}

TEST(DeflateNegotiation, ReadsTheServersAnswer_RFC7692_7_1) {
  const auto agreed = [](std::string_view response, const DeflateOptions& offered = kWide) {
    return check_deflate_response(parsed({response}).value(), offered).value().value();
  };
  EXPECT_EQ(agreed("permessage-deflate"), DeflateParameters{});
  EXPECT_EQ(agreed("permessage-deflate; server_no_context_takeover; client_max_window_bits=8; "
                   "server_max_window_bits=8; client_no_context_takeover"),
            (DeflateParameters{true, true, 8, 8}))
      << "a server may impose what was not asked for";
  EXPECT_EQ(agreed("permessage-deflate", {.client_no_context_takeover = true,
                                          .server_max_window_bits = 15,
                                          .client_max_window_bits = 10}),
            (DeflateParameters{false, true, 15, 10}))
      << "our own wish binds us";
  EXPECT_EQ(check_deflate_response({}, {}).value(), std::nullopt);
}

TEST(DeflateNegotiation, RefusesAnswersToNoOffer_RFC6455_9_1) {
  EXPECT_EQ(rule_of_response("bbf-usp-protocol"), "extension_not_offered");
  EXPECT_EQ(rule_of_response("permessage-deflate", {.enabled = false}), "extension_not_offered");
}

TEST(DeflateNegotiation, RefusesTwoAnswers_RFC7692_5) {
  EXPECT_EQ(rule_of_response("permessage-deflate, permessage-deflate"), "extension_accepted_twice");
}

TEST(DeflateNegotiation, RefusesAnIgnoredTakeover_RFC7692_7_1_1_1) {
  const DeflateOptions offered = wide(true, false);
  EXPECT_EQ(rule_of_response("permessage-deflate", offered), "extension_server_takeover_ignored");
  EXPECT_EQ(rule_of_response("permessage-deflate; server_no_context_takeover", offered), "accepted");
}

TEST(DeflateNegotiation, RefusesAServerWindowAboveTheOffer_RFC7692_7_1_2_1) {
  const DeflateOptions offered{.server_max_window_bits = 10, .client_max_window_bits = 15};
  EXPECT_EQ(rule_of_response("permessage-deflate", offered), "extension_server_window_too_large");
  EXPECT_EQ(rule_of_response("permessage-deflate; server_max_window_bits=11", offered),
            "extension_server_window_too_large");
  EXPECT_EQ(rule_of_response("permessage-deflate; server_max_window_bits=10", offered), "accepted");
  EXPECT_EQ(rule_of_response("permessage-deflate; server_max_window_bits=8", offered), "accepted");
}

// The offer leaves the window to the server; ours is the smaller of the server's and our own.
TEST(DeflateNegotiation, StaysWithinTheServersWindowAndItsOwn_RFC7692_7_1_2_2) {
  const auto window = [](const std::string& answered, int own) {
    const std::string value = "permessage-deflate" + answered;
    const auto extensions = parsed({value}).value();
    const auto agreed =
        check_deflate_response(extensions, {.server_max_window_bits = 15, .client_max_window_bits = own});
    return agreed ? agreed->value().client_max_window_bits : -1;
  };
  for (int bits = 8; bits <= 15; ++bits) {
    const std::string answered = "; client_max_window_bits=" + std::to_string(bits);
    EXPECT_EQ(window(answered, 12), std::min(bits, 12)) << bits;
    EXPECT_EQ(window(answered, 15), bits);
    EXPECT_EQ(window(answered, 9), std::min(bits, 9)) << bits;
  }
  EXPECT_EQ(window("", 12), 12) << "the server would take 15";
  EXPECT_EQ(window("", 15), 15);
  EXPECT_EQ(window("; client_max_window_bits=16", 12), -1);
  EXPECT_EQ(window("; client_max_window_bits=7", 12), -1);
  EXPECT_EQ(window("; client_max_window_bits", 12), -1);
}

TEST(DeflateNegotiation, RefusesMalformedAnswers_RFC7692_7_1) {
  EXPECT_EQ(rule_of_response("permessage-deflate; mystery"), "extension_parameter_unknown");
  EXPECT_EQ(rule_of_response("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9"),
            "extension_parameter_repeated");
  EXPECT_EQ(rule_of_response("permessage-deflate; server_max_window_bits"),
            "extension_server_window_invalid");
  EXPECT_EQ(rule_of_response("permessage-deflate; client_max_window_bits"),
            "extension_client_window_invalid");
  EXPECT_EQ(rule_of_response("permessage-deflate; client_no_context_takeover=1"),
            "extension_client_takeover_invalid");
}

}  // namespace
}  // namespace fanfare::ws
