#pragma once
// The node's configuration, NAME=VALUE by line with '#' for comments, and who may call what. The names and their
// meaning are those of Bitcoin Core, where it has them.

#include <fanfare/rpc.h>

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

struct Config {
  std::string rpcbind = "127.0.0.1";
  std::uint16_t rpcport = 8332;
  std::uint16_t rpcwebsocketport = 8333;  // with a certificate: TLS
  std::string rpcsslcertificatechainfile;
  std::string rpcsslprivatekeyfile;
  std::string rpcunixsocket;
  std::string rpcuser;
  std::string rpcpassword;
  std::vector<std::string> rpcauth;                              // USER:SALT$HMAC-SHA256
  std::map<std::string, std::vector<std::string>> rpcwhitelist;  // methods, by user
  std::vector<std::string> rpcallowip;                           // an address, or ADDRESS/BITS
  std::size_t rpcthreads = 4;
  std::size_t rpcworkqueue = 64;
  std::uint32_t mineevery = 0;  // seconds; 0: only `generate` mines

  bool has_users() const { return !rpcpassword.empty() || !rpcauth.empty(); }
};

// The error is a line for people.
std::expected<Config, std::string> read_config(int argc, char** argv);

// HTTP Basic against the users of the configuration; a user's permissions are the methods of its whitelist.
fanfare::Expected<fanfare::RpcIdentity, fanfare::Response> identify(const Config& config,
                                                                    const fanfare::Request& request);
