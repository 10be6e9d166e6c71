// Lets a program change, accept or refuse a connection attempt of its client.

#include <utility>

#include "api/border.h"
#include "api/client_impl.h"
#include "base/guard.h"

namespace fanfare {

namespace {

constexpr std::string_view kNoAttemptAnswer = "the before_connect handler gave no answer";

}  // namespace

namespace api {

bool ClientImpl::on_attempt(session::Client&) {
  if (!handlers_.before_connect) return true;
  ++attempt_;
  const std::uint64_t attempt = attempt_;
  const auto self = weak_from_this();  // the handler may destroy its client
  const bool ended = call_handler("client before_connect", [&] {
    handlers_.before_connect(self_, ConnectAttempt(self, attempt, was_open_,
                                                   {.url = options_.url,
                                                    .headers = options_.headers,
                                                    .subprotocols = options_.subprotocols}));
  });
  // An exception may leave the attempt somewhere, and in a program without exceptions it is not destroyed.
  const auto impl = ended ? nullptr : self.lock();
  if (impl != nullptr) impl->answer_attempt(attempt, {.reason = std::string(kNoAttemptAnswer)});
  return false;
}

// Always deferred, on every thread: the next steps call handlers.
void ClientImpl::answer_attempt(std::uint64_t attempt, AttemptAnswer answer) {
  loop_->post([this, attempt, answer = std::move(answer)]() mutable {
    // After close() or another start(), a late answer is ignored.
    if (client_ == nullptr || attempt != attempt_) return;
    ++attempt_;  // the first answer counts
    if (answer.target) {
      client_->connect_to({.url = std::move(answer.target->url),
                           .headers = owned(answer.target->headers),
                           .subprotocols = std::move(answer.target->subprotocols)});
    } else {
      client_->fail_attempt(std::move(answer.reason), answer.may_retry);
    }
  });
}

}  // namespace api

ConnectAttempt::ConnectAttempt(std::weak_ptr<api::ClientImpl> impl, std::uint64_t number, bool is_reconnect,
                               ConnectTarget from)
    : target(std::move(from)), impl_(std::move(impl)), number_(number), is_reconnect_(is_reconnect) {}

ConnectAttempt& ConnectAttempt::operator=(ConnectAttempt&& other) noexcept {
  std::swap(target, other.target);
  std::swap(impl_, other.impl_);
  std::swap(number_, other.number_);
  std::swap(is_reconnect_, other.is_reconnect_);
  return *this;
}

ConnectAttempt::~ConnectAttempt() {
  if (impl_.expired()) return;
  // May run during stack unwinding, where a second exception would end the process.
  run_guarded("an attempt to connect", [this] { std::move(*this).give_up(std::string(kNoAttemptAnswer)); });
}

void ConnectAttempt::connect() && {
  if (const auto impl = std::exchange(impl_, {}).lock()) {
    impl->answer_attempt(number_, {.target = std::move(target)});
  }
}

void ConnectAttempt::retry_later(std::string reason) && {
  if (const auto impl = std::exchange(impl_, {}).lock()) {
    impl->answer_attempt(number_, {.reason = std::move(reason), .may_retry = true});
  }
}

void ConnectAttempt::give_up(std::string reason) && {
  if (const auto impl = std::exchange(impl_, {}).lock()) {
    impl->answer_attempt(number_, {.reason = std::move(reason)});
  }
}

}  // namespace fanfare
