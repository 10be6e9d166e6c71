#pragma once
// The node's configuration: NAME=VALUE on each line, '#' begins a comment. Names and meaning are those of Bitcoin Core,
// where it has them; those of BitcoinAccessOptions are valid, too.

#include <fanfare/access.h>

#include <charconv>
#include <expected>
#include <fstream>
#include <map>
#include <string>

struct Config {
  std::map<std::string, std::string> texts{{"rpcbind", "127.0.0.1"},
                                           {"rpcunixsocket", ""},  // "": none
                                           {"rpcsslcertificatechainfile", ""},
                                           {"rpcsslprivatekeyfile", ""}};
  std::map<std::string, std::uint16_t> numbers{
      {"rpcport", 8332},           // HTTP and WebSocket
      {"rpcwebsocketport", 8333},  // the same; with a certificate it is WSS
      {"rpcthreads", 4},
      {"rpcworkqueue", 64},
      {"rpcbroadcast", 0},  // 1: every WebSocket gets all events
      {"mineevery", 0}};    // seconds; 0: only on `generate`
  fanfare::BitcoinAccessOptions access{};

  bool set(const std::string& name, const std::string& value) {
    if (texts.contains(name)) {
      texts[name] = value;
      return true;
    }
    if (!numbers.contains(name)) return access.set(name, value);
    const char* const end = value.data() + value.size();
    const auto read = std::from_chars(value.data(), end, numbers[name]);
    return read.ec == std::errc() && read.ptr == end;
  }

  static std::expected<Config, std::string> read(const std::string& path) {
    Config config;
    std::ifstream file(path);
    if (!file) return std::unexpected("cannot read " + path);
    for (std::string line; std::getline(file, line);) {
      line = line.substr(0, line.find('#'));
      line.erase(0, line.find_first_not_of(" \t"));
      line.erase(line.find_last_not_of(" \t\r") + 1);
      if (line.empty()) continue;
      const std::string name = line.substr(0, line.find('='));
      // The value is not shown: it may be a secret.
      if (name == line || !config.set(name, line.substr(name.size() + 1))) {
        return std::unexpected("unknown or invalid: " + name);
      }
    }
    const bool has_password = !config.access.rpcpassword.empty() || !config.access.rpcauth.empty();
    if (!has_password && config.access.rpccookiefile.empty()) config.access.rpccookiefile = ".cookie";
    return config;
  }
};
