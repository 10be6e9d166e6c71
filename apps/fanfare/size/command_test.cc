// `fanfare size` from its command line to what it prints, and the tables of docs/scaling.md.

#include "size/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "arguments.h"
#include "size/numbers.h"

namespace fanfare::app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Sized {
  int status = 0;
  std::string out;
  std::string complaints;
};

Sized size(std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"fanfare", "size"});
  std::vector<const char*> words;
  for (const std::string& flag : flags) words.push_back(flag.c_str());
  const auto command = parse_arguments(static_cast<int>(words.size()), words.data());
  if (!command) return {.status = command.error().status, .out = {}, .complaints = command.error().text};
  std::ostringstream out;
  std::ostringstream complaints;
  const int status = run_size(std::get<SizeArguments>(*command), out, complaints);
  return {.status = status, .out = out.str(), .complaints = complaints.str()};
}

TEST(SizeCommand, PrintsAPlan) {
  const Sized sized = size({"--clients", "1M"});
  EXPECT_EQ(sized.status, 0) << sized.complaints;
  EXPECT_THAT(
      sized.out,
      AllOf(StartsWith("1,000,000 clients, TLS; "), HasSubstr("\nmachines  "), HasSubstr("\nbreaks first  "),
            HasSubstr("LimitNOFILE="), HasSubstr("net.ipv4.tcp_mem = "),
            HasSubstr("server.websocket.maxConnectionsPerNetwork: "), Not(HasSubstr("streams.limits"))));
}

TEST(SizeCommand, UnitsAreThoseOfPeople) {
  const Sized with_units = size(
      {"--clients", "20k", "--memory-per-machine", "4GiB", "--block-time", "1m", "--event-bytes", "2KiB"});
  const Sized without = size({"--clients", "20000", "--memory-per-machine", "4294967296", "--block-time",
                              "60", "--event-bytes", "2048"});
  EXPECT_EQ(with_units.status, 0) << with_units.complaints;
  EXPECT_EQ(with_units.out, without.out);
}

TEST(SizeCommand, UnitsAreExact) {
  EXPECT_EQ(size({"--clients", "10k", "--memory-per-machine", "256MiB"}).status, 0);
  EXPECT_THAT(size({"--clients", "1.234567M"}).out, StartsWith("1,234,567 clients"));
  EXPECT_THAT(size({"--clients", "10q"}).complaints,
              HasSubstr("10q has an unknown unit, expected one of G, M, k"));
  EXPECT_THAT(size({"--clients", "many"}).complaints, HasSubstr("many is not a number"));
}

TEST(SizeCommand, SeveralClientsAreColumns) {
  const Sized sized = size({"--clients", "10k,1M", "--markdown"});
  EXPECT_THAT(sized.out, StartsWith("| clients | 10,000 | 1,000,000 |\n|---|---|---|\n| machines | "));
}

TEST(SizeCommand, JsonHasTheSameNumbers) {
  const Sized sized = size({"--clients", "10k,1M", "--topics", "10", "--events-per-second", "2", "--json"});
  EXPECT_EQ(sized.status, 0) << sized.complaints;
  EXPECT_THAT(
      sized.out,
      AllOf(StartsWith(R"({"plans":[{"clients":10000,"subscriptions_per_client":1,"topics":10,"chains":0,)"),
            HasSubstr(R"(,{"clients":1000000,"subscriptions)"), HasSubstr(R"("resources":[{"name":")")));
  EXPECT_TRUE(sized.out.ends_with("]}]}\n")) << sized.out;
}

TEST(SizeCommand, ErrorsAreOneLineAndStatus2) {
  const Sized sized = size({"--clients", "0"});
  EXPECT_EQ(sized.status, 2);
  EXPECT_EQ(sized.out, "");
  EXPECT_EQ(sized.complaints, "fanfare size: --clients 0 is below 1\n");
}

TEST(SizeCommand, ContradictoryAndUnknownFlagsAreRefused) {
  EXPECT_EQ(size({"--clients", "1", "--tls", "--no-tls"}).status, 2);
  EXPECT_THAT(size({"--clients", "1", "--tls", "--no-tls"}).complaints,
              "fanfare size: --tls and --no-tls: give one of them\n");
  EXPECT_THAT(size({"--clients", "1", "--json", "--markdown"}).complaints,
              "fanfare size: --json and --markdown: give one of them\n");
  EXPECT_THAT(size({}).complaints, HasSubstr("--clients is required"));
  EXPECT_EQ(size({"--clients", "ten"}).status, 2);
  EXPECT_EQ(size({"--clients", "10X"}).status, 2);
  EXPECT_EQ(size({"--clients", "99999999999999999999999999999999999999999"}).status, 2);
}

TEST(SizeCommand, ProxiesNeedTheClientsAddresses) {
  EXPECT_THAT(size({"--clients", "1M", "--proxy-addresses", "2"}).out,
              HasSubstr("server.proxyProtocol: required"));
}

TEST(SizeNumbers, AreShortAndKeepTheirSize) {
  EXPECT_EQ(whole_text(0), "0");
  EXPECT_EQ(whole_text(999), "999");
  EXPECT_EQ(whole_text(1234567.4), "1,234,567");
  EXPECT_EQ(decimal_text(0.0833), "0.0833");
  EXPECT_EQ(decimal_text(12.345), "12.3");
  EXPECT_EQ(decimal_text(999.7), "1,000");
  EXPECT_EQ(storage_text(1023), "1,023 B");
  EXPECT_EQ(storage_text(1536), "1.5 KiB");
  EXPECT_EQ(bits_text(2.5e9), "2.5 Gbit/s");
  EXPECT_EQ(duration_text(0.0005), "0.5 ms");
  EXPECT_EQ(duration_text(90), "90 s");
  EXPECT_EQ(duration_text(7260), "2 h 1 min");
  EXPECT_EQ(duration_text(7199), "2 h 0 min");
}

// docs/scaling.md has the commands of its tables in comments, and those of its examples after "$ ".
struct Example {
  std::vector<std::string> flags;
  std::string output;
};

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream text(line);
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

std::vector<Example> examples_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<Example> examples;
  std::string end;  // of the output that is read
  for (std::string line; std::getline(file, line);) {
    const bool is_table = line.starts_with("<!-- fanfare size ");
    if (is_table || line.starts_with("$ fanfare size ")) {
      std::vector<std::string> words = words_of(line);
      if (is_table) words.pop_back();
      examples.push_back({.flags = {words.begin() + 3, words.end()}, .output = {}});
      end = is_table ? "" : "```";
      // The table begins after an empty line.
      if (is_table) std::getline(file, line);
    } else if (!examples.empty() && line == end) {
      end = "\n";
    } else if (!examples.empty() && end != "\n") {
      examples.back().output += line + "\n";
    }
  }
  return examples;
}

TEST(SizeDocument, TheTablesAreWhatTheCommandPrints) {
  const auto examples = examples_of(FANFARE_SOURCE_DIR "/docs/scaling.md");
  EXPECT_GE(examples.size(), 4U);
  for (const Example& example : examples) {
    const Sized sized = size(example.flags);
    EXPECT_EQ(sized.status, 0) << sized.complaints;
    EXPECT_EQ(sized.out, example.output)
        << "docs/scaling.md: run the command again: fanfare size " << testing::PrintToString(example.flags);
  }
}

}  // namespace
}  // namespace fanfare::app
