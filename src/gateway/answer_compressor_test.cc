#include "gateway/answer_compressor.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "session/loop_server_for_tests.h"

namespace fanfare::gateway {
namespace {

using http::ContentCoding;
using session::LoopServer;
using session::LoopServerTest;

constexpr http::AcceptedCoding kGzip{.best = ContentCoding::gzip};
constexpr http::AcceptedCoding kDeflate{.best = ContentCoding::deflate};
constexpr http::AcceptedCoding kNone{};
constexpr std::size_t kMin = 100;
constexpr std::size_t kWaitingMax = std::size_t{4} << 20;

std::string inflated(std::string_view coded, ContentCoding coding) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, coding == ContentCoding::gzip ? 16 + MAX_WBITS : MAX_WBITS), Z_OK);
  std::string text;
  std::vector<char> piece(std::size_t{1} << 20);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
  stream.avail_in = static_cast<uInt>(coded.size());
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(piece.data(), piece.size() - stream.avail_out);
  }
  EXPECT_EQ(result, Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U);
  inflateEnd(&stream);
  return text;
}

std::string json(std::size_t bytes) {
  std::string text = "[";
  for (std::uint32_t i = 0; text.size() < bytes; ++i) {
    text += R"({"address":"0x)" + std::to_string(i * 2654435761U) + R"(","data":"0x00"},)";
  }
  text.resize(bytes);
  return text;
}

std::string noise(std::size_t bytes) {
  std::mt19937_64 random(7);
  std::string text;
  while (text.size() < bytes) text += static_cast<char>(random());
  return text;
}

class AnswerCompressorTest : public LoopServerTest {
 protected:
  // The answers to the requests, in order.
  struct Plan {
    std::string body;
    http::AcceptedCoding accepted = kGzip;
    int status = 200;
  };

  void serve(AnswerCompression plan = {
                 .enabled = true, .bytes_min = kMin, .waiting_bytes_max = kWaitingMax}) {
    start();
    compressor_ = std::make_unique<AnswerCompressor>(plan, *server_, cells_);
    service_.when_request = [this](session::HttpConnection& session) {
      const Plan& answer = answers_.at(asked_++);
      compressor_->respond(session, {.status = answer.status, .body = answer.body, .headers = {}},
                           answer.accepted);
    };
  }
  void TearDown() override {
    server_.reset();  // no handler runs any more
    compressor_.reset();
  }
  // The site answers "/later" by itself only if no handler did.
  static std::string request(std::string_view method = "GET") {
    return std::string(method) + " /later HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  struct Answer {
    std::string head;
    std::string body;
  };
  // The next answer to that peer; `text` keeps the bytes after it.
  Answer read_answer(const net::Descriptor& peer, std::string& text, bool without_body = false) {
    Answer answer;
    EXPECT_TRUE(run_until([&] {
      text += read_now(peer);
      const std::size_t end = text.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      answer.head = text.substr(0, end + 2);
      const std::size_t at = answer.head.find("Content-Length: ");
      const std::size_t size =
          without_body || at == std::string::npos ? 0 : std::stoul(answer.head.substr(at + 16));
      if (text.size() < end + 4 + size) return false;
      answer.body = text.substr(end + 4, size);
      text.erase(0, end + 4 + size);
      return true;
    }));
    return answer;
  }
  Answer ask(Plan plan) {
    answers_.push_back(std::move(plan));
    const net::Descriptor peer = connect();
    write(peer, request());
    std::string text;
    return read_answer(peer, text);
  }
  static bool has(const Answer& answer, std::string_view line) {
    return answer.head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
  }

  CompressionCells cells_;
  std::unique_ptr<AnswerCompressor> compressor_;
  std::vector<Plan> answers_;
  std::size_t asked_ = 0;
};

TEST_P(AnswerCompressorTest, GzipAndDeflateComeOutAsTheyWentIn_RFC9110_8_4_1) {
  serve();
  for (const auto coding : {ContentCoding::gzip, ContentCoding::deflate, ContentCoding::gzip}) {
    // As long as a turn's share, one byte more, and several turns long.
    for (const std::size_t size :
         {kMin, AnswerCompressor::kBytesPerTurn, AnswerCompressor::kBytesPerTurn + 1, std::size_t{3} << 20}) {
      const std::string body = json(size);
      const Answer answer = ask({.body = body, .accepted = {.best = coding}});
      EXPECT_TRUE(has(answer, "Content-Encoding: " + std::string(name_of(coding)))) << answer.head;
      EXPECT_TRUE(has(answer, "Vary: Accept-Encoding"));
      EXPECT_LT(answer.body.size(), size);
      EXPECT_TRUE(inflated(answer.body, coding) == body);
    }
  }
  EXPECT_EQ(cells_.compressed.value(), 12U);
  EXPECT_EQ(compressor_->waiting_bytes(), 0U);
}

TEST_P(AnswerCompressorTest, WhatDoesNotPayIsSentAsItIs) {
  serve();
  for (const Plan& plan : {Plan{.body = json(kMin - 1)}, Plan{.body = json(kMin), .accepted = kNone},
                           Plan{.body = noise(1000)}, Plan{.body = noise(1 << 20)}}) {
    const Answer answer = ask(plan);
    EXPECT_TRUE(answer.body == plan.body);
    EXPECT_FALSE(answer.head.contains("Content-Encoding")) << answer.head;
    EXPECT_TRUE(has(answer, "Vary: Accept-Encoding"));
  }
  EXPECT_EQ(cells_.compressed.value(), 0U);
}

TEST_P(AnswerCompressorTest, WhoRefusesIdentityGetsEverythingCoded_RFC9110_12_5_3) {
  serve();
  for (const std::string& body : {std::string("{}"), noise(1000)}) {
    const Answer answer =
        ask({.body = body, .accepted = {.best = ContentCoding::deflate, .is_required = true}});
    EXPECT_TRUE(has(answer, "Content-Encoding: deflate"));
    EXPECT_TRUE(inflated(answer.body, ContentCoding::deflate) == body);
  }
}

TEST_P(AnswerCompressorTest, WithoutABodyNothingIsSaidOfCodings) {
  serve();
  const Answer answer = ask({.body = "", .status = 204});
  EXPECT_TRUE(answer.head.starts_with("HTTP/1.1 204"));
  EXPECT_FALSE(answer.head.contains("Vary"));
  EXPECT_FALSE(answer.head.contains("Content-Encoding"));
}

TEST_P(AnswerCompressorTest, SwitchedOffItChangesNothing) {
  serve({.enabled = false, .bytes_min = 1});
  const Answer answer =
      ask({.body = json(1000), .accepted = {.best = ContentCoding::gzip, .is_required = true}});
  EXPECT_EQ(answer.body, json(1000));
  EXPECT_FALSE(answer.head.contains("Vary"));
}

TEST_P(AnswerCompressorTest, HeadHasTheHeadersOfGetAndNoBody_RFC9110_9_3_2) {
  serve();
  const Answer get = ask({.body = json(5000)});
  answers_.push_back({.body = json(5000)});
  answers_.push_back({.body = "last", .accepted = kNone});
  const net::Descriptor peer = connect();
  write(peer, request("HEAD") + request());
  std::string text;
  const Answer head = read_answer(peer, text, true);
  EXPECT_EQ(head.head, get.head);
  EXPECT_EQ(read_answer(peer, text).body, "last");  // directly after the head
}

TEST_P(AnswerCompressorTest, PipelinedAnswersKeepTheirOrder) {
  serve();
  answers_ = {
      {.body = json(1 << 20)}, {.body = json(200), .accepted = kDeflate}, {.body = "3", .accepted = kNone}};
  const net::Descriptor peer = connect();
  write(peer, request() + request() + request());
  std::string text;
  EXPECT_TRUE(inflated(read_answer(peer, text).body, ContentCoding::gzip) == json(1 << 20));
  EXPECT_EQ(inflated(read_answer(peer, text).body, ContentCoding::deflate), json(200));
  EXPECT_EQ(read_answer(peer, text).body, "3");
}

TEST_P(AnswerCompressorTest, ALongAnswerHoldsUpNobody) {
  serve();
  answers_ = {{.body = json(kWaitingMax)}, {.body = "short", .accepted = kNone}};
  const net::Descriptor slow = connect();
  write(slow, request());
  ASSERT_TRUE(run_until([&] { return asked_ == 1; }));
  const net::Descriptor quick = connect();
  write(quick, request());
  read_until(quick, "short");
  EXPECT_GT(compressor_->waiting_bytes(), 0U);  // the long one is still in progress
  std::string text;
  EXPECT_TRUE(inflated(read_answer(slow, text).body, ContentCoding::gzip) == json(kWaitingMax));
}

TEST_P(AnswerCompressorTest, AtTheLimitItWaitsAndPastItItIsSentAsItIs) {
  serve();
  answers_ = {{.body = json(kWaitingMax - 1)}, {.body = "x", .accepted = kGzip}, {.body = json(kMin)}};
  const net::Descriptor first = connect();
  write(first, request());
  ASSERT_TRUE(run_until([&] { return asked_ == 1; }));
  EXPECT_EQ(compressor_->waiting_bytes(), kWaitingMax - 1);
  const net::Descriptor second = connect();
  write(second, request() + request());  // one is too short to wait, and one too long for the free room
  std::string text;
  EXPECT_EQ(read_answer(second, text).body, "x");
  EXPECT_EQ(read_answer(second, text).body, json(kMin));
  EXPECT_EQ(cells_.no_room.value(), 1U);
  std::string rest;
  EXPECT_TRUE(inflated(read_answer(first, rest).body, ContentCoding::gzip) == json(kWaitingMax - 1));
  // Exactly the limit.
  EXPECT_TRUE(has(ask({.body = json(kWaitingMax)}), "Content-Encoding: gzip"));
  EXPECT_FALSE(ask({.body = json(kWaitingMax + 1)}).head.contains("Content-Encoding"));
}

TEST_P(AnswerCompressorTest, ManyTakeTurnsAndTheOneThatGoesIsForgotten) {
  serve();
  const std::size_t kMany = AnswerCompressor::kJobsAtOnce + 3;
  std::vector<net::Descriptor> peers;
  for (std::size_t i = 0; i < kMany; ++i) {
    answers_.push_back({.body = json((200U << 10) + i)});
    peers.push_back(connect());
    write(peers.back(), request());
  }
  ASSERT_TRUE(run_until([&] { return asked_ == kMany; }));
  peers[2] = {};
  for (std::size_t i = 0; i < kMany; ++i) {
    if (i == 2) continue;
    std::string text;
    EXPECT_TRUE(inflated(read_answer(peers[i], text).body, ContentCoding::gzip) == json((200U << 10) + i));
  }
  EXPECT_TRUE(run_until([&] { return compressor_->waiting_bytes() == 0; }));
}

TEST_P(AnswerCompressorTest, ItsEndIsTheEndOfWhatWaits) {
  serve();
  answers_ = {{.body = json(kWaitingMax)}};
  const net::Descriptor peer = connect();
  write(peer, request());
  ASSERT_TRUE(run_until([&] { return asked_ == 1; }));
  compressor_.reset();
  pass(std::chrono::milliseconds(200));  // the posted task finds no compressor
  EXPECT_EQ(read_now(peer), "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnswerCompressorTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::gateway
