// Boost.Beast as a contestant: one thread, its asynchronous calls, default settings except the compression
// level.

#include <memory>
#include <string>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include "echo_program.h"

namespace {

namespace beast = boost::beast;
namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Tcp::socket socket, bool deflate) : stream_(std::move(socket)) {
    if (!deflate) return;
    beast::websocket::permessage_deflate settings;
    settings.server_enable = true;
    settings.compLevel = 1;
    stream_.set_option(settings);
  }

  void run() {
    stream_.async_accept([self = shared_from_this()](beast::error_code error) {
      if (!error) self->read();
    });
  }

 private:
  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error) self->write();
    });
  }
  void write() {
    stream_.text(stream_.got_text());
    stream_.async_write(buffer_.data(),
                        [self = shared_from_this()](beast::error_code error, std::size_t written) {
                          if (error) return;
                          self->buffer_.consume(written);
                          self->read();
                        });
  }

  beast::websocket::stream<Tcp::socket> stream_;
  beast::flat_buffer buffer_;
};

class Listener {
 public:
  Listener(asio::io_context& loop, int listening, bool deflate)
      : acceptor_(loop, Tcp::v4(), listening), deflate_(deflate) {}

  void accept() {
    acceptor_.async_accept([this](beast::error_code error, Tcp::socket socket) {
      if (!error) {
        socket.set_option(Tcp::no_delay(true));
        std::make_shared<Session>(std::move(socket), deflate_)->run();
      }
      accept();
    });
  }

 private:
  Tcp::acceptor acceptor_;
  bool deflate_;
};

}  // namespace

int main(int argc, char** argv) {
  const fanfare::bench::EchoProgram program = fanfare::bench::program_of(argc, argv);
  if (program.broadcast || !program.certificate.empty()) fanfare::bench::give_up("echoes only, without TLS");
  fanfare::bench::raise_descriptor_limit();
  auto listening = fanfare::bench::listen_for_echo(program.where);
  fanfare::bench::say_listening(listening.get());
  asio::io_context loop(1);
  Listener listener(loop, listening.release(), program.deflate);
  listener.accept();
  loop.run();
}
