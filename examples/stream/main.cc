// Messages larger than the memory used for them: stream [PORT].
//
//   ws://127.0.0.1:PORT/upload        answers each message of any size with its size and its FNV-1a hash
//   ws://127.0.0.1:PORT/download      answers "BYTES" with one message of that many bytes; closes a client
//                                     that sends no request within a minute (a timer)
//
// A sink writes the log to standard output as lines of JSON. GET /stats shows the server's counters.

#include <fanfare/fanfare.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "../port.h"

namespace {

struct Upload {
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0xcbf29ce484222325;
};

void take(fanfare::SessionWith<Upload>& session, const fanfare::MessageChunk& chunk) {
  Upload& upload = session.data();
  if (chunk.is_first()) upload = Upload();
  upload.bytes += chunk.bytes().size();
  for (const std::uint8_t byte : chunk.bytes()) upload.hash = (upload.hash ^ byte) * 0x100000001b3;
  if (chunk.is_last()) session.send(std::to_string(upload.bytes) + " " + std::to_string(upload.hash));
}

struct Download {
  std::optional<fanfare::MessageWriter> writer = {};
  std::uint64_t bytes_left = 0;
  fanfare::SessionTimer patience = {};
};
using DownloadSession = fanfare::SessionWith<Download>;

// Sends as much as the client takes now; the drain handler calls this again.
void go_on(DownloadSession& session) {
  Download& download = session.data();
  while (download.writer) {
    if (download.bytes_left == 0) {
      download.writer->finish();
      download.writer.reset();
      return;
    }
    const std::string piece(std::min<std::uint64_t>(download.bytes_left, 64 * 1024), 'x');
    download.bytes_left -= piece.size();
    if (download.writer->write(piece) != fanfare::SendResult::queued) return;
  }
}

void begin(DownloadSession& session, const fanfare::Message& message) {
  Download& download = session.data();
  session.cancel(download.patience);
  if (download.writer) return session.close(1008, "one at a time");
  const std::string_view text = message.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), download.bytes_left);
  if (error != std::errc() || end != text.data() + text.size()) return session.close(1008, "how many bytes?");
  download.writer = session.begin_message(fanfare::Message::Kind::binary);
  go_on(session);
}

void log_as_json(const fanfare::LogRecord& record) {
  const auto quoted = [](std::string_view text) {
    std::string out = "\"";
    for (const char c : text) out += c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ' ? '?' : c;
    return out + "\"";
  };
  std::string line = "{\"event\":" + quoted(record.event);
  for (const fanfare::LogField& field : record.fields) {
    line += "," + quoted(field.key) + ":" + quoted(field.value);
  }
  line += "}\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  fanfare::set_log_sink(log_as_json);
  fanfare::Server server({.port = port_argument(argc, argv, 1, 9001)});
  server.websocket<Upload>("/upload", {.chunk = take});
  server.websocket<Download>(
      "/download", {.deflate = fanfare::Deflate{.enabled = false},  // pieces are sent uncompressed
                    .open =
                        [](DownloadSession& session) {
                          session.data().patience = session.call_after(
                              std::chrono::minutes(1),
                              [](DownloadSession& quiet) { quiet.close(1008, "nothing was asked for"); });
                        },
                    .message = begin,
                    .drain = go_on});
  server.http("GET", "/stats", [&server](const fanfare::Request&) -> fanfare::Response {
    const fanfare::ServerStats stats = server.stats();
    return {.body = std::to_string(stats.sessions) + " sessions, " + std::to_string(stats.bytes_received) +
                    " bytes received\n"};
  });
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "stream: %s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("ws://%s\n", server.addresses().front().c_str());
  std::fflush(stdout);
  server.run();
}
