#pragma once
// A simulated node for the tests of the sources of pending transactions and of the sync state: a function
// from calls to answers.

#include <chrono>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "eth/pending_source.h"
#include "jsonrpc/value.h"

namespace fanfare::eth::worlds {

inline std::string hash(char digit) {
  return "0x" + std::string(64, digit);
}
inline std::string transaction(char digit) {
  return R"({"hash":")" + hash(digit) + R"(","nonce":"0x0"})";
}
inline std::string hashes(const std::string& digits) {
  std::string json = "[";
  for (const char digit : digits) json += (json.size() > 1 ? ",\"" : "\"") + hash(digit) + '"';
  return json + "]";
}

// The node's answer; "" rejects, "!" means no answer at all.
using Answers = std::function<std::string(const jsonrpc::UpstreamCall&)>;

template <typename Source>
void answer_all(Source& source, const Answers& answers, Instant now, std::vector<std::string>* methods) {
  for (auto calls = source.take_calls(); !calls.empty(); calls = source.take_calls()) {
    for (const jsonrpc::UpstreamCall& call : calls) {
      if (methods != nullptr) methods->emplace_back(call.method);
      const std::string json = answers(call);
      if (json == "!") continue;
      if (json.empty()) {
        source.on_reply(call.id,
                        std::unexpected(jsonrpc::CallFailure{
                            .kind = jsonrpc::CallFailure::Kind::rejected, .code = -32601, .message = "no"}),
                        now);
      } else {
        source.on_reply(call.id, jsonrpc::CallResult(json), now);
      }
    }
  }
}

struct PendingWorld {
  PendingWorld() { source.start(now); }
  void want(PendingWanted wanted) {
    source.set_wanted(wanted, now);
    answer_all(source, answers, now, &methods);
  }
  void tick() {
    now = source.next_timer().value();
    source.on_timer(now);
    answer_all(source, answers, now, &methods);
  }
  void push(bool pushed) {
    source.set_pushed(pushed, now);
    answer_all(source, answers, now, &methods);
  }
  // "yes", the reason why not, or "..." while there is no result.
  std::string listening() {
    const auto listener = source.await_listening(now);
    return answer_of(listener);
  }
  std::string answer_of(PendingSource::ListenerId listener) {
    for (const Listening& one : source.take_listening()) {
      if (one.listener == listener) return one.refusal.empty() ? "yes" : one.refusal;
    }
    return "...";
  }
  // "a" is hash a; "A" the same transaction whole; "!" means hashes may be missed, "?" bodies may be missed,
  // "#" a body that does not match its hash.
  std::string take() {
    std::string text;
    for (const PendingEvent& event : source.take_events()) {
      if (const auto* one = std::get_if<PendingHash>(&event)) text += one->hash.at(2);
      if (const auto* one = std::get_if<PendingMissed>(&event)) text += one->bodies_only ? '?' : '!';
      if (const auto* one = std::get_if<PendingBody>(&event)) {
        const bool its_own =
            jsonrpc::string_value(*jsonrpc::member(one->transaction_json, "hash")) == one->hash;
        text += its_own ? static_cast<char>(one->hash.at(2) - 'a' + 'A') : '#';
      }
    }
    return text;
  }
  SeededRandom random{1};
  jsonrpc::CallIds ids;
  PendingSource source{{}, ids, random};
  Instant now{std::chrono::hours(1)};
  Answers answers;
  std::vector<std::string> methods;
};

// A filter with these changes; "!": polls get no answer.
inline std::string filter_with(const jsonrpc::UpstreamCall& call, const std::string& changes) {
  if (call.method == "eth_newPendingTransactionFilter") return "\"0x1\"";
  return changes == "!" ? changes : hashes(changes);
}

// The txpool_content of one sender.
inline std::string pool_of(const std::string& digits) {
  std::string json = R"({"pending":{"0x2":{)";
  for (const char digit : digits)
    json += (json.back() == '{' ? "\"" : ",\"") + std::string(1, digit) + "\":" + transaction(digit);
  return json + R"(}},"queued":{"0x1":{"9":)" + transaction('f') + "}}}";
}

}  // namespace fanfare::eth::worlds
