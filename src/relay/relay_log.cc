#include "relay/relay_log.h"

#include "base/log.h"
#include "base/log_limiter.h"
#include "base/text.h"

namespace fanfare::relay {

bool RelayLog::may_say(const std::string& what, Instant now) {
  const auto found = said_.find(what);
  if (found != said_.end() && now - found->second < kSaidEvery) return false;
  if (said_.size() >= kRememberedMax) said_.clear();
  said_.insert_or_assign(what, now);
  return true;
}

// Whatever goes wrong from now on is new.
void RelayLog::connected() {
  said_.clear();
  log::info("relay_connected", {{"servers", options_.servers.size()}});
}

void RelayLog::connects_again(std::string_view reason) {
  log::info("relay_connects_again", {{"reason", reason}});
}

void RelayLog::problem(const LinkProblem& problem, Instant now) {
  const std::string sentence = sentence_for(problem, options_);
  if (may_say(sentence, now)) log::error("relay_unusable", {{"reason", sentence}});
}

void RelayLog::refusal(const std::string& reason, Instant now, std::string_view what) {
  if (!may_say(reason, now)) return;
  log::error("relay_unusable", {{"reason", joined({"the broker refuses to store ", what, " (", reason,
                                                   "): check its storage limits and its disk"})}});
}

void RelayLog::event_refused(const std::string& topic, std::string_view reason, Instant now) {
  if (!may_say(joined({topic, " ", reason}), now)) return;
  log::warn("relay_event_refused", {{"topic", log::excerpt(topic)}, {"reason", reason}});
}

void RelayLog::event_too_big(const std::string& topic, std::size_t bytes, std::size_t bytes_max,
                             Instant now) {
  if (!may_say(joined({topic, " too big"}), now)) return;
  log::warn("relay_event_too_big",
            {{"topic", log::excerpt(topic)},
             {"bytes", bytes},
             {"bytes_max", bytes_max},
             {"advice", "raise max_payload of the broker, or publish less at a time"}});
}

void RelayLog::stands_still(std::string_view topic, std::string_view stream, std::uint64_t sequence,
                            bool has_message) {
  log::error("relay_stream_stands_still",
             {{"topic", topic},
              {"sequence", sequence},
              {"reason", has_message ? "the broker has this event and does not deliver it"
                                     : "the broker has acknowledged this event and lost it"},
              {"advice", joined({"delete the stream ", stream,
                                 ", which the instances create again, or restart the broker"})}});
}

void RelayLog::foreign(std::string_view topic, std::string_view subject, std::uint64_t sequence) {
  static LogLimiter limiter(log::Level::warn, "relay_foreign_message");
  limiter.write(
      {{"topic", topic},
       {"subject", subject},
       {"sequence", sequence},
       {"advice",
        "nobody but the instances may publish there: check the permissions of the broker's users"}});
}

}  // namespace fanfare::relay
