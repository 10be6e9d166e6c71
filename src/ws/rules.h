#pragma once
// Every rule of RFC 6455 (§4-§8, §10) and RFC 7692 (§6, §7) that a peer can break: one line, one enumerator.
//
//   RULE(enumerator, code, clause, what the peer had to do)
//
// The code determines what happens when a peer breaks the rule:
//   1000-4999  the connection fails with a Close frame of this code (RFC6455§7.1.7)
//   400-599    the server refuses the handshake with this HTTP status (RFC6455§4.2.1)
//   0          nothing can be sent: a client drops the connection (RFC6455§4.1), a server declines the
//              extension offer and goes on (RFC7692§7.1)
//
// The clause is the tag to search for. It stands above the branch that checks the rule and, as _RFC6455_5_1,
// in the test's name. `./dev rfc` prints all three and fails on a rule or clause without a test.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fanfare::ws {

// clang-format off
#define FANFARE_WS_RULES(RULE) \
  /* Frames. */ \
  RULE(reserved_bits_set, 1002, "RFC6455§5.2", "reserved bits are zero unless an agreed extension uses them") \
  RULE(opcode_reserved, 1002, "RFC6455§5.2", "reserved opcodes are not used") \
  RULE(length_not_minimal, 1002, "RFC6455§5.2", "the payload length is in its shortest form") \
  RULE(length_over_63_bits, 1002, "RFC6455§5.2", "the top bit of a 64-bit payload length is zero") \
  RULE(frame_not_masked, 1002, "RFC6455§5.1", "a client masks every frame") \
  RULE(frame_masked, 1002, "RFC6455§5.1", "a server masks no frame") \
  RULE(control_frame_fragmented, 1002, "RFC6455§5.5", "control frames are not fragmented") \
  RULE(control_frame_too_long, 1002, "RFC6455§5.5", "control frames carry at most 125 bytes") \
  RULE(continuation_without_message, 1002, "RFC6455§5.4", "a continuation frame continues a message") \
  RULE(message_interleaved, 1002, "RFC6455§5.4", "a fragmented message ends before the next one begins") \
  /* Payloads. */ \
  RULE(text_not_utf8, 1007, "RFC6455§8.1", "text is valid UTF-8") \
  RULE(message_too_big, 1009, "RFC6455§10.4", "messages are at most as big as the limit") \
  RULE(too_many_fragments, 1009, "RFC6455§10.4", "messages have at most as many fragments as the limit") \
  /* Closing. */ \
  RULE(close_body_one_byte, 1002, "RFC6455§5.5.1", "the body of a Close frame is empty or starts with a two-byte code") \
  RULE(close_code_report_only, 1002, "RFC6455§7.4.1", "1005, 1006 and 1015 are never sent") \
  RULE(close_code_invalid, 1002, "RFC6455§7.4.2", "close codes come from the ranges in use") \
  RULE(close_reason_not_utf8, 1007, "RFC6455§5.5.1", "the reason of a Close frame is valid UTF-8") \
  /* Compression. */ \
  RULE(compressed_control_frame, 1002, "RFC7692§6.1", "control frames are not compressed") \
  RULE(compressed_continuation, 1002, "RFC7692§6.1", "only the first frame of a message says that it is compressed") \
  RULE(compressed_data_corrupt, 1007, "RFC7692§7.2.2", "a compressed message is a DEFLATE stream") \
  RULE(inflated_message_too_big, 1009, "RFC7692§8", "messages inflate to at most the limit") \
  RULE(inflation_ratio_exceeded, 1009, "RFC7692§8", "messages inflate by at most the limit on the ratio") \
  RULE(deflate_contexts_exhausted, 1013, "RFC7692§8", "contexts fit into the memory set aside for them") \
  /* Opening handshake, as the server reads it. */ \
  RULE(handshake_method_not_get, 405, "RFC6455§4.2.1", "the handshake is a GET request") \
  RULE(handshake_http_version_too_low, 505, "RFC6455§4.2.1", "the handshake is HTTP/1.1 or higher") \
  RULE(handshake_target_invalid, 400, "RFC6455§4.2.1", "the request target is an absolute path or URI without fragment") \
  RULE(handshake_host_missing, 400, "RFC6455§4.2.1", "there is one Host header") \
  RULE(handshake_upgrade_missing, 426, "RFC6455§4.2.1", "Upgrade names websocket") \
  RULE(handshake_connection_missing, 400, "RFC6455§4.2.1", "Connection names upgrade") \
  RULE(handshake_key_missing, 400, "RFC6455§4.2.1", "there is a Sec-WebSocket-Key") \
  RULE(handshake_key_repeated, 400, "RFC6455§11.3.1", "there is no second Sec-WebSocket-Key") \
  RULE(handshake_key_invalid, 400, "RFC6455§4.2.1", "Sec-WebSocket-Key is 16 bytes in base64") \
  RULE(handshake_version_missing, 400, "RFC6455§4.2.1", "there is a Sec-WebSocket-Version") \
  RULE(handshake_version_repeated, 400, "RFC6455§11.3.5", "there is no second Sec-WebSocket-Version") \
  RULE(handshake_version_unsupported, 426, "RFC6455§4.4", "Sec-WebSocket-Version is 13") \
  RULE(handshake_protocol_invalid, 400, "RFC6455§4.1", "subprotocols are distinct tokens") \
  RULE(handshake_origin_refused, 403, "RFC6455§10.2", "the Origin is one that the server allows") \
  RULE(handshake_too_large, 431, "RFC6455§10.4", "the handshake is at most as big as the limit") \
  /* Opening handshake, as the client reads it. */ \
  RULE(handshake_response_malformed, 0, "RFC6455§4.1", "the response is HTTP/1.1 or higher") \
  RULE(handshake_status_not_101, 0, "RFC6455§4.1", "the status of an accepted handshake is 101") \
  RULE(handshake_response_upgrade_invalid, 0, "RFC6455§4.1", "Upgrade of the response is websocket") \
  RULE(handshake_response_connection_invalid, 0, "RFC6455§4.1", "Connection of the response names upgrade") \
  RULE(handshake_accept_missing, 0, "RFC6455§4.1", "there is one Sec-WebSocket-Accept") \
  RULE(handshake_accept_wrong, 0, "RFC6455§4.1", "Sec-WebSocket-Accept answers the key that was sent") \
  RULE(handshake_protocol_not_offered, 0, "RFC6455§4.1", "the server picks at most one of the subprotocols offered") \
  /* Extension negotiation. */ \
  RULE(extension_header_malformed, 400, "RFC6455§9.1", "Sec-WebSocket-Extensions follows its grammar") \
  RULE(extension_not_offered, 0, "RFC6455§9.1", "the server accepts only extensions that were offered") \
  RULE(extension_accepted_twice, 0, "RFC7692§5", "the server accepts at most one of the offers of an extension") \
  RULE(extension_parameter_unknown, 0, "RFC7692§7.1", "permessage-deflate has no parameters but its four") \
  RULE(extension_parameter_repeated, 0, "RFC7692§7.1", "no parameter is given twice") \
  RULE(extension_server_takeover_invalid, 0, "RFC7692§7.1.1.1", "server_no_context_takeover has no value") \
  RULE(extension_server_takeover_ignored, 0, "RFC7692§7.1.1.1", "a server that accepts an offer with server_no_context_takeover says so") \
  RULE(extension_client_takeover_invalid, 0, "RFC7692§7.1.1.2", "client_no_context_takeover has no value") \
  RULE(extension_server_window_invalid, 0, "RFC7692§7.1.2.1", "server_max_window_bits is a number from 8 to 15 without leading zero") \
  RULE(extension_server_window_too_large, 0, "RFC7692§7.1.2.1", "a server uses at most the server_max_window_bits offered, and says so") \
  RULE(extension_client_window_invalid, 0, "RFC7692§7.1.2.2", "client_max_window_bits is a number from 8 to 15 without leading zero; only an offer may leave it out")
// clang-format on

#define FANFARE_WS_RULE_ENUMERATOR(name, code, clause, sentence) name,
enum class Rule : std::uint8_t { FANFARE_WS_RULES(FANFARE_WS_RULE_ENUMERATOR) };
#undef FANFARE_WS_RULE_ENUMERATOR

struct RuleInfo {
  Rule rule;
  std::string_view name;  // the enumerator
  std::uint16_t code;     // close code, HTTP status, or 0: see above
  std::string_view clause;
  std::string_view sentence;
};

#define FANFARE_WS_RULE_INFO(name, code, clause, sentence) \
  RuleInfo{Rule::name, #name, code, clause, sentence},
inline constexpr auto kRules = std::to_array<RuleInfo>({FANFARE_WS_RULES(FANFARE_WS_RULE_INFO)});
#undef FANFARE_WS_RULE_INFO

constexpr const RuleInfo& info(Rule rule) {
  return kRules[static_cast<std::size_t>(rule)];
}

// Finds a rule by name, for transcripts and tools; null if there is none.
const RuleInfo* find_rule(std::string_view name);

}  // namespace fanfare::ws
