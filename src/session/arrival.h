#pragma once
// What a connection of a server begins with before HTTP, if its listener requires it: a PROXY header, then
// the TLS handshake. Its HttpConnection takes over after that.

#include <cstdint>
#include <vector>

#include "session/admission.h"
#include "session/listener_context.h"
#include "session/member.h"

namespace fanfare::net {
class Stream;
}

namespace fanfare::session {

// The first handler of a connection that the server's gate has let in: an Arrival, or an HttpConnection if the
// listener requires nothing before HTTP. Both references must outlive the connection.
std::unique_ptr<Member> make_first_handler(ServerTable& table, ListenerContext& context, Admission admission);

class Arrival final : public Member {
 public:
  Arrival(ServerTable& table, ListenerContext& context, Admission admission);

  SessionTable& table() const override { return table_; }
  void shut_down(std::uint16_t code, std::string_view reason) override;
  bool is_at_work(std::uint32_t now_ms) const override { return now_ms - accepted_ms_ < kFirstRequestWaitMs; }

 private:
  void on_adopted(net::Stream& stream) override;
  void on_attached() override;
  void on_secured() override;
  void on_receive(MutableBytes bytes) override;
  void on_end() override { close(); }
  void on_lost(const net::OsError& error) override;
  void on_detached() override { leave_table(); }
  void check_time(std::uint32_t now_ms) override;

  bool requires_proxy_header() const;
  void read_proxy_header(MutableBytes bytes);
  bool enter_address(const net::Address& address);
  // TLS, or HTTP at once. `rest` are bytes that arrived behind the PROXY header.
  void go_ahead(MutableBytes rest);
  void begin_http(MutableBytes rest);
  void drop(Refusal refusal);

  ServerTable& table_;
  ListenerContext& context_;
  const std::shared_ptr<const void> use_ = context_.use;
  Admission admission_;  // until it has joined the table
  net::Stream* stream_ = nullptr;
  const std::uint32_t accepted_ms_;
  bool securing_ = false;
  std::vector<std::uint8_t> header_;  // part of the PROXY header
};

}  // namespace fanfare::session
