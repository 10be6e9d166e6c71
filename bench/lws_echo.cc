// libwebsockets as a contestant: one service thread; a connection's messages are queued until it may write.

#include <libwebsockets.h>

#include <array>
#include <deque>
#include <new>
#include <string>
#include <vector>

#include "echo_program.h"

namespace {

constexpr std::size_t kReceiveBytes = 16 * 1024;

// The data of one connection; libwebsockets allocates it zeroed.
struct Peer {
  std::deque<std::vector<unsigned char>>* queue;  // each preceded by LWS_PRE bytes
  std::vector<unsigned char>* coming;
};

void receive(lws* wsi, Peer& peer, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  if (peer.coming->empty()) peer.coming->resize(LWS_PRE);
  peer.coming->insert(peer.coming->end(), bytes, bytes + size);
  if (lws_is_final_fragment(wsi) == 0) return;
  peer.queue->push_back(std::move(*peer.coming));
  peer.coming->clear();
  lws_callback_on_writable(wsi);
}

int write(lws* wsi, Peer& peer) {
  if (peer.queue->empty()) return 0;
  std::vector<unsigned char>& message = peer.queue->front();
  const std::size_t size = message.size() - LWS_PRE;
  if (lws_write(wsi, message.data() + LWS_PRE, size, LWS_WRITE_TEXT) < static_cast<int>(size)) return -1;
  peer.queue->pop_front();
  if (!peer.queue->empty()) lws_callback_on_writable(wsi);
  return 0;
}

int handle(lws* wsi, lws_callback_reasons reason, void* user, void* data, std::size_t size) {
  Peer* const peer = static_cast<Peer*>(user);
  switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
      *peer = {.queue = new std::deque<std::vector<unsigned char>>, .coming = new std::vector<unsigned char>};
      return 0;
    case LWS_CALLBACK_RECEIVE:
      receive(wsi, *peer, data, size);
      return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
      return write(wsi, *peer);
    case LWS_CALLBACK_CLOSED:
      delete peer->queue;
      delete peer->coming;
      return 0;
    default:
      return lws_callback_http_dummy(wsi, reason, user, data, size);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const fanfare::bench::EchoProgram program = fanfare::bench::program_of(argc, argv);
  if (program.broadcast || program.deflate || !program.certificate.empty()) {
    fanfare::bench::give_up("plain echoes only");
  }
  fanfare::bench::raise_descriptor_limit();
  lws_set_log_level(LLL_ERR, nullptr);
  lws_protocols echo{};
  echo.name = "echo";
  echo.callback = handle;
  echo.per_session_data_size = sizeof(Peer);
  echo.rx_buffer_size = kReceiveBytes;
  const std::array protocols{echo, lws_protocols{}};
  lws_context_creation_info options{};
  options.port = fanfare::bench::address_of(program.where).port();
  options.iface = "127.0.0.1";
  options.protocols = protocols.data();
  options.pt_serv_buf_size = kReceiveBytes;
  lws_context* const context = lws_create_context(&options);
  if (context == nullptr) fanfare::bench::give_up("libwebsockets does not start");
  lws_vhost* const host = lws_get_vhost_by_name(context, "default");
  const auto port = static_cast<std::uint16_t>(lws_get_vhost_listen_port(host));
  const auto address = fanfare::net::Address::parse("127.0.0.1", port);
  fanfare::bench::say_listening(*address);
  while (lws_service(context, 0) >= 0) continue;
  return 1;
}
