// An eth_subscribe that loses nothing: after every reconnect it resumes from its last cursor.
//   resume ws://127.0.0.1:8546 '"newHeads"'          resume ws://127.0.0.1:8546 '"logs",{}'

#include <fanfare/fanfare.h>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: resume URL PARAMS\n"), 2;
  std::string cursor = "true";
  fanfare::Client client(
      {.url = argv[1], .reconnect = {.enabled = true}},
      {.open =
           [&](fanfare::Client& self, const fanfare::Opened&) {
             self.send(R"({"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":[)" +
                       std::string(argv[2]) + R"(,{"cursor":)" + cursor + "}]}");
           },
       .message =
           [&](fanfare::Client&, const fanfare::Message& message) {
             const std::string text(message.text());
             std::printf("%s\n", text.c_str());
             std::fflush(stdout);
             // Store the cursor only after the message was handled. It is the last
             // member, and has no escapes.
             constexpr std::string_view kMember = R"("cursor":)";
             const std::size_t at = text.rfind(kMember);
             if (at == std::string::npos) return;
             const std::size_t begin = at + kMember.size();
             cursor = text.substr(begin, text.find('"', begin + 1) + 1 - begin);
           },
       .close =
           [](fanfare::Client&, const fanfare::Close& close, auto) {
             std::fprintf(stderr, "resume: closed with %d %s\n", close.code,
                          std::string(close.reason).c_str());
           },
       .failed = [](fanfare::Client&, const fanfare::Error& error,
                    auto) { std::fprintf(stderr, "resume: %s\n", error.message.c_str()); }});
  if (const auto started = client.start(); !started) {
    std::fprintf(stderr, "resume: %s\n", started.error().message.c_str());
    return 1;
  }
  client.run();
  return 0;
}
