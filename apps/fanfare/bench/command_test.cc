#include "bench/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace fanfare::app {
namespace {

using testing::HasSubstr;

struct Ran {
  int status;
  std::string out;
  std::string notes;
};

Ran run(const BenchArguments& arguments) {
  std::ostringstream out;
  std::ostringstream notes;
  const int status = run_bench(arguments, out, notes);
  return {.status = status, .out = out.str(), .notes = notes.str()};
}

BenchArguments arguments_with(void (*change)(BenchArguments&)) {
  BenchArguments arguments;
  arguments.url = "ws://127.0.0.1:1";
  change(arguments);
  return arguments;
}

TEST(BenchCommand, WhatDoesNotGoTogetherIsSaid) {
  struct Case {
    void (*change)(BenchArguments&);
    const char* complaint;
  };
  const Case cases[] = {
      {[](BenchArguments& it) { it.url = "http://127.0.0.1:1"; }, "expected ws or wss"},
      {[](BenchArguments& it) { it.url = "no-address"; }, "missing scheme (expected ws or wss)"},
      {[](BenchArguments& it) { it.duration = "soon"; }, "--duration"},
      {[](BenchArguments& it) { it.duration = "0s"; }, "--duration"},
      {[](BenchArguments& it) { it.ramp = "soon"; },
       "--ramp is not a duration (\"soon\"), expected a duration such as"},
      {[](BenchArguments& it) { it.insecure = true; }, "wss://"},
      {[](BenchArguments& it) { it.ca_file = "a.pem"; }, "wss://"},
      {[](BenchArguments& it) { it.raw = true, it.deflate = "takeover"; }, "--raw"},
      {[](BenchArguments& it) { it.subscribe = "{}", it.rate = 1; }, "--subscribe"},
      {[](BenchArguments& it) { it.subscribe = "{}", it.broadcast = true; }, "--broadcast"},
      {[](BenchArguments& it) { it.handshakes = it.broadcast = true; }, "--handshakes sends no messages"},
      {[](BenchArguments& it) { it.handshakes = it.raw = true; }, "--handshakes sends no messages"},
      {[](BenchArguments& it) { it.handshakes = true, it.rate = 1; }, "--handshakes sends no messages"},
      {[](BenchArguments& it) { it.handshakes = true, it.subscribe = "{}"; },
       "--handshakes sends no messages"},
      {[](BenchArguments& it) { it.handshakes = true, it.loop = "uring"; }, "--handshakes uses epoll"},
      {[](BenchArguments& it) { it.url = "wss://127.0.0.1:1", it.ca_file = "/no/such.pem"; }, "such.pem"},
  };
  for (const Case& each : cases) {
    const Ran ran = run(arguments_with(each.change));
    EXPECT_EQ(ran.status, 2) << each.complaint;
    EXPECT_THAT(ran.notes, HasSubstr(each.complaint));
    EXPECT_EQ(ran.out, "");
  }
}

TEST(BenchCommand, NobodyThereIsSaid) {
  for (void (*change)(BenchArguments&) : {+[](BenchArguments& it) { it.broadcast = true; },
                                          +[](BenchArguments& it) { it.handshakes = it.quiet = true; }}) {
    const Ran ran = run(arguments_with(change));
    EXPECT_EQ(ran.status, 1);
    EXPECT_THAT(ran.notes, HasSubstr("connect"));
    EXPECT_EQ(ran.out, "");
  }
}

}  // namespace
}  // namespace fanfare::app
