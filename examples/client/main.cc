// Sends its arguments and prints the received messages: client URL [TEXT...]. It exits after as many messages
// as it sent. Without arguments it prints forever, and reconnects when the connection is lost.

#include <fanfare/fanfare.h>

#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: client URL [TEXT...]\n");
    return 2;
  }
  const std::vector<std::string> texts(argv + 2, argv + argc);
  std::size_t received = 0;
  int status = 0;

  fanfare::Client client({.url = argv[1], .reconnect = {.enabled = texts.empty()}},
                         {.open =
                              [&](fanfare::Client& self, const fanfare::Opened&) {
                                for (const std::string& text : texts) self.send(text);
                              },
                          .message =
                              [&](fanfare::Client& self, const fanfare::Message& message) {
                                std::printf("%.*s\n", static_cast<int>(message.text().size()),
                                            message.text().data());
                                std::fflush(stdout);
                                if (++received == texts.size()) self.close();
                              },
                          .close = [&](fanfare::Client&, const fanfare::Close& close,
                                       auto) { status = close.code == 1000 ? 0 : 1; },
                          .failed =
                              [&](fanfare::Client&, const fanfare::Error& error, auto) {
                                std::fprintf(stderr, "client: %s\n", error.message.c_str());
                                status = 1;
                              }});
  if (const auto started = client.start(); !started) {
    std::fprintf(stderr, "client: %s\n", started.error().message.c_str());
    return 1;
  }
  client.run();
  return status;
}
