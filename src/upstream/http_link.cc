#include "upstream/http_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/guard.h"
#include "http/headers.h"
#include "net/socket.h"

namespace fanfare::upstream {
namespace {

// Room that is reserved for an announced body before it comes.
constexpr std::uint64_t kReservedBytesMax = std::uint64_t{256} << 10;

std::optional<Duration> retry_after(http::Headers headers) {
  const auto field = http::find_header(headers, "Retry-After");
  if (!field) return std::nullopt;
  std::uint32_t seconds = 0;
  const char* const end = field->data() + field->size();
  const auto read = std::from_chars(field->data(), end, seconds);
  if (read.ec != std::errc() || read.ptr != end || seconds == 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

// A connection whose node vanished without a word must end some day, although nothing is sent.
void keep_alive(int fd) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

}  // namespace

std::expected<HttpLink*, session::ClientError> HttpLink::dial(net::Loop& loop, HttpLinkOwner& owner,
                                                              std::shared_ptr<const HttpLinkPlan> plan,
                                                              const net::Address& address) {
  const auto refused = [](std::string text, int code) {
    return std::unexpected(session::ClientError{
        .failure = session::ClientFailure::connect_failed, .text = std::move(text), .os_error = code});
  };
  auto connecting = net::start_connect(address);
  if (!connecting) return refused(connecting.error().message(), connecting.error().code);
  keep_alive(connecting->get());
  std::unique_ptr<HttpLink> made(new HttpLink(owner, std::move(plan), address.text()));
  HttpLink* const link = made.get();
  loop.adopt_connecting(std::move(made), *std::move(connecting));
  link->dialling_ = false;
  if (link->early_end_) return refused(std::move(link->early_end_->why), 0);
  return link;
}

HttpLink::HttpLink(HttpLinkOwner& owner, std::shared_ptr<const HttpLinkPlan> plan, std::string address)
    : owner_(&owner),
      plan_(std::move(plan)),
      address_(std::move(address)),
      reader_({.body_bytes_max = plan_->response_bytes_max}) {}

void HttpLink::close() {
  owner_ = nullptr;
  exchange_ = nullptr;
  if (std::exchange(stage_, Stage::over) != Stage::over) stream_->close();
}

void HttpLink::on_attached() {
  // The loop may report the connection in the turn in which it was closed.
  if (owner_ == nullptr) return;
  if (!owner_->link_connected(*this)) return close();
  if (plan_->tls == nullptr) return on_secured();
  stage_ = Stage::securing;
  stream_->start_tls(plan_->tls, net::TlsRole::client, plan_->tls_server_name);
}

void HttpLink::on_secured() {
  if (owner_ == nullptr) return;
  stage_ = Stage::ready;
  owner_->link_ready(*this);
}

void HttpLink::send(HttpExchange& exchange) {
  FANFARE_CHECK(is_ready());
  exchange_ = &exchange;
  stage_ = Stage::busy;
  reader_.begin();
  std::array<char, 20> digits;
  tail_.assign(digits.data(),
               std::to_chars(digits.data(), digits.data() + digits.size(), exchange.body.size()).ptr);
  tail_ += "\r\n";
  for (const auto& [name, value] : exchange.own_fields) {
    tail_.append(name).append(": ").append(value).append("\r\n");
  }
  tail_ += "\r\n";
  const std::string& head = plan_->request_head;
  std::uint8_t* at = stream_->extend(head.size() + tail_.size() + exchange.body.size());
  for (const std::string_view part :
       {std::string_view(head), std::string_view(tail_), std::string_view(exchange.body)}) {
    at = std::ranges::copy(part, at).out;
  }
}

void HttpLink::on_receive(MutableBytes bytes) {
  if (owner_ == nullptr) return;
  // RFC9112§9.2: nothing comes without a request, except perhaps the reason for which the node closes.
  if (exchange_ == nullptr) return lost("bytes that were not requested");
  if (run_guarded("the answer of a node", [&] { read(bytes); })) return;
  if (owner_ != nullptr && exchange_ != nullptr) {
    exchange_->no_memory = true;
    broken(FailureKind::no_room, "there is no room for the answer");
  }
}

void HttpLink::read(Bytes input) {
  Bytes data;
  while (true) {
    const auto step = reader_.next(input, data);
    if (!step) {
      if (step.error().status == 413) exchange_->too_large = true;
      return broken(exchange_->too_large ? FailureKind::too_large : FailureKind::bad_reply,
                    step.error().reason);
    }
    switch (*step) {
      case http::ResponseReader::Step::more:
        return;
      case http::ResponseReader::Step::head:
        if (!begin_body()) return broken(FailureKind::bad_reply, "a content coding that was not offered");
        break;
      case http::ResponseReader::Step::body:
        if (!take(data)) return;
        break;
      case http::ResponseReader::Step::done:
        // After more bytes than the response's own, nobody knows what the next one would begin with.
        return answered(reader_.keeps_alive() && input.empty() && stream_->queued_bytes() == 0);
    }
  }
}

// False: the body has a coding that we do not know.
bool HttpLink::begin_body() {
  decoder_.reset();
  const auto field = http::find_header(reader_.headers(), "Content-Encoding");
  if (field) {
    const auto coding = http::count_headers(reader_.headers(), "Content-Encoding") == 1
                            ? ContentDecoder::coding_of(*field)
                            : std::nullopt;
    if (!coding) return false;
    if (*coding != ContentDecoder::Coding::identity) decoder_ = std::make_unique<ContentDecoder>(*coding);
  }
  if (decoder_ == nullptr && reader_.content_length()) {
    exchange_->response.reserve(
        static_cast<std::size_t>(std::min(*reader_.content_length(), kReservedBytesMax)));
  }
  return true;
}

bool HttpLink::take(Bytes data) {
  UniqueFunction<bool(std::string_view)> keep = [this](std::string_view text) {
    return exchange_->take(text, plan_->response_bytes_max);
  };
  const auto result = decoder_ != nullptr   ? decoder_->decode(data, keep)
                      : keep(as_text(data)) ? ContentDecoder::Result::fine
                                            : ContentDecoder::Result::refused;
  switch (result) {
    case ContentDecoder::Result::fine:
      return true;
    case ContentDecoder::Result::invalid:
      broken(FailureKind::bad_reply, "the content coding is invalid");
      return false;
    case ContentDecoder::Result::refused:
      broken(exchange_->too_large ? FailureKind::too_large : FailureKind::no_room, "the answer has no room");
      return false;
  }
  return false;
}

void HttpLink::answered(bool may_stay) {
  if (decoder_ != nullptr && !decoder_->is_complete()) {
    return broken(FailureKind::bad_reply, "the content coding ends early");
  }
  decoder_.reset();
  HttpOutcome outcome{.status = reader_.status(),
                      .retry_after = retry_after(reader_.headers()),
                      .new_connection = !std::exchange(was_used_, true)};
  HttpExchange& exchange = *std::exchange(exchange_, nullptr);
  HttpLinkOwner& owner = *owner_;
  if (may_stay) {
    stage_ = Stage::ready;
  } else {
    close();
  }
  owner.link_answered(*this, exchange, std::move(outcome));  // last: the owner may be destroyed
}

void HttpLink::broken(FailureKind kind, std::string_view reason) {
  end({.kind = kind, .why = "the node's answer: " + std::string(reason), .was_connected = true});
}

void HttpLink::on_end() {
  if (owner_ == nullptr) return;
  // RFC9112§9.8: a body that only the end delimits may have been cut by anybody, unless TLS ended it.
  const bool is_cut = stream_->tls() != nullptr && !stream_->tls()->peer_said_goodbye();
  if (stage_ == Stage::busy && !is_cut && reader_.end()) return answered(false);
  lost(address_ + " closed the connection");
}

void HttpLink::on_lost(const net::OsError& error) {
  if (owner_ == nullptr) return;
  if (stage_ == Stage::securing && !error.detail.empty()) return lost(error.detail);
  net::OsError told = error;
  if (told.detail.empty()) told.detail = address_;
  lost(told.message());
}

void HttpLink::on_detached() {
  if (owner_ != nullptr) lost("the connection to " + address_ + " was given up");
}

void HttpLink::lost(std::string why) {
  const bool is_stale = stage_ == Stage::busy && was_used_ && !reader_.has_begun();
  const FailureKind kind = stage_ == Stage::connecting ? FailureKind::connect
                           : stage_ == Stage::securing ? FailureKind::tls
                                                       : FailureKind::closed;
  if (kind == FailureKind::tls)
    why.insert(0, "TLS with \"" + plan_->tls_server_name + "\" at " + address_ + ": ");
  end({.kind = kind,
       .why = std::move(why),
       .was_connected = stage_ != Stage::connecting,
       .was_stale = is_stale});
}

void HttpLink::end(LinkEnd end) {
  HttpLinkOwner* const owner = std::exchange(owner_, nullptr);
  HttpExchange* const exchange = std::exchange(exchange_, nullptr);
  if (std::exchange(stage_, Stage::over) != Stage::over) stream_->close();
  if (dialling_) {
    early_end_ = std::move(end);
  } else {
    owner->link_ended(*this, exchange, std::move(end));  // last: the owner may be destroyed
  }
}

}  // namespace fanfare::upstream
