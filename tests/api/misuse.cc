// Each case misuses the API in a way that must not compile. The test compiles this file once without a case,
// which must succeed, and once with each case, which must fail with the words next to its name.

#include <fanfare/fanfare.h>

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using fanfare::Client;
using fanfare::Message;
using fanfare::Request;
using fanfare::Responder;
using fanfare::Response;
using fanfare::Server;
using fanfare::Session;
using fanfare::SessionWith;

struct Member {
  std::string name;
};
struct Other {};

[[maybe_unused]] static void right_use(Server& server) {
  server.websocket<Member>("/", {.message = [](SessionWith<Member>& session, const Message& message) {
                             session.send(session.data().name);
                             session.send(message);
                             session.send(std::vector<std::uint8_t>{1, 2, 3});
                           }});
  server.http("GET", "/",
              [](const Request&, Responder responder) { std::move(responder).send({.body = "ok"}); });
  fanfare::Rpc rpc;
  rpc.method(
      "send", {},
      [](const fanfare::RpcCall&, std::int64_t amount, const std::optional<int>& fee, std::string_view note,
         const double& rate) {
        return note.empty() ? amount : static_cast<std::int64_t>(fee.value_or(0) + rate);
      },
      fanfare::RpcParam<std::int64_t>{"amount"}, fanfare::RpcParam<std::optional<int>>{"fee"},
      fanfare::RpcParam<std::string>{"note"}, fanfare::RpcParam<double>{"rate"});
  rpc.method(
      "same", {}, [](const fanfare::RpcCall&, auto value) { return value + 1; },
      fanfare::RpcParam<int>{"value"});
  rpc.method("nothing", {}, [](const fanfare::RpcCall&) {});
  rpc.method("nothing_or_error", {}, [](const fanfare::RpcCall&) -> fanfare::RpcResult<void> { return {}; });
  rpc.method("standard", {},
             [](const fanfare::RpcCall&) -> std::expected<void, fanfare::RpcError> { return {}; });
  rpc.method("text", {}, [](const fanfare::RpcCall&) { return "text"; });
  rpc.method("maybe", {}, [](const fanfare::RpcCall&) { return std::optional<float>(); });
  rpc.method_later<void>(
      "wait", {}, [](const fanfare::RpcCall&, fanfare::RpcReply<void> reply) { std::move(reply).send(); });
}

[[maybe_unused]] static void wrong_use(Server& server, Session& session, const Message& message,
                                       const Request& request) {
  (void)server, (void)session, (void)message, (void)request;
#ifdef CASE_method_with_a_narrower_parameter  // static assertion failed: the handler takes .* with exactly the type of that RpcParam
  fanfare::Rpc rpc;
  rpc.method(
      "send", {}, [](const fanfare::RpcCall&, int amount) { return amount; },
      fanfare::RpcParam<std::int64_t>{"amount"});
#endif
#ifdef CASE_method_without_its_parameter  // static assertion failed: the handler takes .* with exactly the type of that RpcParam
  fanfare::Rpc rpc;
  rpc.method(
      "send", {}, [](const fanfare::RpcCall&) { return 1; }, fanfare::RpcParam<std::int64_t>{"amount"});
#endif
#ifdef CASE_method_without_its_rpc_param  // static assertion failed: the handler takes .* one parameter for each RpcParam
  fanfare::Rpc rpc;
  rpc.method("send", {}, [](const fanfare::RpcCall&, std::int64_t amount) { return amount; });
#endif
#ifdef CASE_method_with_a_result_that_is_no_json  // static assertion failed: the handler returns a type without JsonType
  fanfare::Rpc rpc;
  rpc.method("list", {}, [](const fanfare::RpcCall&) { return std::map<int, int>(); });
#endif
#ifdef CASE_method_of_a_member_pointer  // static assertion failed: .* a member function needs a lambda
  fanfare::Rpc rpc;
  rpc.method("name", {}, &Member::name);
#endif
#ifdef CASE_method_with_a_parameter_that_is_no_json  // static assertion failed: an RpcParam<T> has a type without JsonType
  fanfare::Rpc rpc;
  rpc.method(
      "send", {}, [](const fanfare::RpcCall&, std::map<int, int> amounts) { return amounts.empty(); },
      fanfare::RpcParam<std::map<int, int>>{"amounts"});
#endif
#ifdef CASE_method_with_a_view_as_parameter  // static assertion failed: an RpcParam<T> has a type without JsonType
  fanfare::Rpc rpc;
  rpc.method(
      "send", {}, [](const fanfare::RpcCall&, std::string_view note) { return note.empty(); },
      fanfare::RpcParam<std::string_view>{"note"});
#endif
#ifdef CASE_method_later_that_returns  // static assertion failed: the handler of method_later\(\) returns nothing
  fanfare::Rpc rpc;
  rpc.method_later<int>("wait", {}, [](const fanfare::RpcCall&, fanfare::RpcReply<int>) { return 7; });
#endif
#ifdef CASE_method_later_with_another_reply  // static assertion failed: the handler takes .* then RpcReply<Result>
  fanfare::Rpc rpc;
  rpc.method_later<std::string>("wait", {}, [](const fanfare::RpcCall&, fanfare::RpcReply<int>) {});
#endif
#ifdef CASE_method_later_with_a_result_that_is_no_json  // static assertion failed: method_later<Result>: Result has no JsonType
  fanfare::Rpc rpc;
  rpc.method_later<std::map<int, int>>("wait", {},
                                       [](const fanfare::RpcCall&, fanfare::RpcReply<std::map<int, int>>) {});
#endif
#ifdef CASE_session_kept_by_value  // use of deleted function|is protected
  Session kept = session;
#endif
#ifdef CASE_typed_session_kept_by_value  // use of deleted function
  SessionWith<Member> one(Member{});
  SessionWith<Member> kept = one;
#endif
#ifdef CASE_session_captured_by_value  // use of deleted function|is protected
  server.post(session.id(), [session](Session&) mutable {});
#endif
#ifdef CASE_message_kept_by_value  // use of deleted function
  Message kept = message;
#endif
#ifdef CASE_message_taken_by_value  // cannot convert|could not convert
  server.websocket("/", {.message = [](Session&, Message) {}});
#endif
#ifdef CASE_request_kept_by_value  // use of deleted function
  Request kept = request;
#endif
#ifdef CASE_handlers_for_another_type_of_data  // cannot convert|could not convert
  server.websocket<Member>("/", {.message = [](SessionWith<Other>&, const Message&) {}});
#endif
#ifdef CASE_data_of_a_session_without_data  // has no member named .data
  server.websocket("/", {.open = [](Session& plain) { plain.data(); }});
#endif
#ifdef CASE_upgrade_that_makes_another_type_of_data  // cannot convert|could not convert
  server.websocket<Member>("/",
                           {.upgrade = [](const Request&) -> std::expected<Other, Response> { return {}; }});
#endif
#ifdef CASE_answer_given_without_giving_up_the_right_to  // passing .* discards qualifiers|as .this. argument
  server.http("GET", "/", [](const Request&, Responder responder) { responder.send({}); });
#endif
#ifdef CASE_responder_copied  // use of deleted function
  server.http("GET", "/", [](const Request&, Responder responder) { Responder twice = responder; });
#endif
#ifdef CASE_characters_sent_as_if_they_were_text_or_binary  // no matching function
  session.send(std::vector<char>{'a'});
#endif
#ifdef CASE_null_sent  // use of deleted function|ambiguous
  session.send(nullptr);
#endif
#ifdef CASE_number_sent  // no matching function
  session.send(42);
#endif
#ifdef CASE_interval_without_unit  // no known conversion
  Server wrong({.heartbeat = {.ping_interval = 30}});
#endif
#ifdef CASE_port_out_of_range  // narrowing|overflow
  Server wrong({.port = 70000});
#endif
#ifdef CASE_option_that_does_not_exist  // no known conversion
  Server wrong({.prot = 9001});
#endif
#ifdef CASE_server_copied  // use of deleted function
  Server twice = server;
#endif
#ifdef CASE_result_of_start_taken_for_true  // could not convert|cannot convert|no match
  const bool fine = server.start();
#endif
#ifdef CASE_error_of_start_ignored  // ignoring return value
  server.start();
#endif
}
