#pragma once
// Converts the public options to the engine's types.

#include <cstdint>
#include <optional>
#include <string_view>

#include "fanfare/options.h"
#include "fanfare/session.h"
#include "net/loop.h"
#include "net/tls.h"
#include "session/client_options.h"
#include "session/endpoint.h"
#include "session/session.h"
#include "session/settings.h"
#include "ws/deflate_options.h"

namespace fanfare::api {

net::LoopKind to_engine(LoopKind kind);
session::SessionSettings to_settings(const Limits& limits, const Heartbeat& heartbeat);
// Of messages that are handed out in pieces; zero: any size.
ws::Limits piece_limits(std::size_t bytes_max);
ws::DeflateOptions to_engine(const Deflate& deflate);
net::TlsServerOptions to_engine(const Tls& tls);
session::ClientTlsOptions to_engine(const ClientTls& tls);

SendResult to_public(session::SendResult result);
Close to_public(const session::CloseInfo& info);

// The contents of the Close frame for a program's code and reason. RFC6455§5.5.1, §7.4: a code that no frame
// may carry is omitted together with the reason. The reason is truncated as in ws::close_reason_of(). Points
// into `reason`.
struct CloseWords {
  std::uint16_t code;
  std::string_view reason;
};
CloseWords close_words(std::uint16_t code, std::string_view reason);

}  // namespace fanfare::api
