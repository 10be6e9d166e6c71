// Connects to a URL, sends every message back and leaves when the server closes: echo_client URL [DEFLATE
// [CA]]. DEFLATE is "none" or "default", which is what a program gets that sets nothing; CA a PEM file to
// trust instead of the system's. Exit status: 0 when the connection was opened, whatever became of it; 1 when
// it was not. Prints how it ended: "closed CODE" or "failed WHY".

#include <fanfare/fanfare.h>

#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: echo_client URL [none|default [CA]]\n");
    return 2;
  }
  const std::string_view deflate = argc > 2 ? argv[2] : "default";
  fanfare::ClientOptions options{.url = argv[1], .reconnect = {.enabled = false}};
  options.deflate.enabled = deflate != "none";
  if (argc > 3) options.tls.ca_file = argv[3];
  int status = 0;
  fanfare::Client client(
      options, {.message = [](fanfare::Client& self, const fanfare::Message& message) { self.send(message); },
                .close = [](fanfare::Client&, const fanfare::Close& close,
                            auto) { std::printf("closed %u\n", static_cast<unsigned>(close.code)); },
                .failed =
                    [&](fanfare::Client&, const fanfare::Error& error, auto) {
                      std::printf("failed %s\n", error.message.c_str());
                      status = 1;
                    }});
  if (const auto started = client.start(); !started) {
    std::fprintf(stderr, "echo_client: %s\n", started.error().message.c_str());
    return 1;
  }
  client.run();
  return status;
}
