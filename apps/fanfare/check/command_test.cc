// `fanfare check` and the certificate in a configuration.

#include "check/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "net/certificate_for_tests.h"

namespace fanfare::app {
namespace {

using net::TestCertificate;
using net::TestCertificateOptions;
using testing::HasSubstr;
using testing::StartsWith;

struct Checked {
  int status = 0;
  std::string out;
  std::string complaints;
};

class CheckCommand : public testing::Test {
 protected:
  Checked check(const std::string& certificate_file, const std::string& key_file) {
    return check("server:\n  tls:\n    certificateFile: " + certificate_file + "\n    keyFile: " + key_file);
  }
  Checked check(const std::string& head, const PageFlags& flags = {}) {
    std::ofstream(file_) << head
                         << "\nprojects:\n  - id: main\n    networks:\n      - architecture: evm\n"
                            "        evm: { chainId: 1 }\n    upstreams:\n      - id: a\n"
                            "        endpoint: http://127.0.0.1:8545\n";
    std::ostringstream out;
    std::ostringstream complaints;
    const auto no_variables = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
    const int status = run_check(file_, no_variables, out, complaints, false, std::nullopt, flags);
    return {.status = status, .out = out.str(), .complaints = complaints.str()};
  }

  const TestCertificate good_;
  const std::string file_ = good_.folder() + "/fanfare.yaml";
};

TEST_F(CheckCommand, AGoodCertificateIsGood) {
  const Checked checked = check(good_.certificate_file(), good_.key_file());
  EXPECT_EQ(checked.status, 0) << checked.complaints;
  EXPECT_THAT(checked.out, StartsWith(file_ + " is good\n"));
  EXPECT_EQ(checked.complaints, "");
}

TEST_F(CheckCommand, AMissingCertificateIsNotGood) {
  const Checked checked = check("/no/such.pem", good_.key_file());
  EXPECT_EQ(checked.status, 2);
  EXPECT_EQ(checked.out, "");
  EXPECT_EQ(checked.complaints,
            file_ + ": server.tls: certificate file \"/no/such.pem\": No such file or directory\n");
}

TEST_F(CheckCommand, AnotherKeyOrAWeakOneIsNotGood) {
  const TestCertificate weak(TestCertificateOptions{.rsa_bits = 1024});
  EXPECT_THAT(check(weak.certificate_file(), weak.key_file()).complaints,
              HasSubstr("key too small: 1024 bits, at least 2048"));
  const Checked mixed = check(good_.certificate_file(), weak.key_file());
  EXPECT_EQ(mixed.status, 2);
  EXPECT_THAT(mixed.complaints, HasSubstr("does not belong to certificate file"));
}

TEST_F(CheckCommand, ADirectoryWithoutThePageIsNotGood) {
  const std::string directory = good_.folder();
  const Checked without = check("web: { enabled: true, directory: " + directory + " }");
  EXPECT_EQ(without.status, 2);
  EXPECT_EQ(without.complaints, file_ + ": web.directory has no index.html (\"" + directory +
                                    "\"), expected the directory of the built page\n");
  std::ofstream(directory + "/index.html") << "<!doctype html>";
  const Checked with = check("web: { enabled: true, directory: " + directory + " }");
  EXPECT_EQ(with.status, 0) << with.complaints;
  EXPECT_THAT(with.out, HasSubstr("\ndashboard at /, from " + directory + "\n"));
}

// As `serve` and a reload would say.
TEST_F(CheckCommand, APageThatIsNotBesideTheProgramIsNotGood) {
  const Checked without = check("web: { enabled: true }");
  EXPECT_EQ(without.status, 2);
  EXPECT_EQ(without.complaints,
            file_ +
                ": the dashboard's files are not beside the program, expected web.directory "
                "in " +
                file_ + ", or --web-dir\n");
}

// `serve` will run with the same flags.
TEST_F(CheckCommand, AFlagForThePageCountsMoreThanTheFile) {
  const std::string directory = good_.folder();
  const std::string wanted = "web: { enabled: true }";
  EXPECT_EQ(check(wanted, {.no_web = true}).status, 0);
  const Checked wrong = check("", {.web_dir = directory});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_EQ(wrong.complaints, file_ + ": --web-dir has no index.html (\"" + directory +
                                  "\"), expected the directory of the built page\n");
  std::ofstream(directory + "/index.html") << "<!doctype html>";
  for (const std::string& file :
       {wanted, std::string(), std::string("web: { enabled: true, directory: /no/such }")}) {
    const Checked right = check(file, {.web_dir = directory});
    EXPECT_EQ(right.status, 0) << right.complaints;
    EXPECT_THAT(right.out, HasSubstr("\ndashboard at /, from " + directory + "\n"));
  }
}

// Its first line would be the end of the configuration.
TEST_F(CheckCommand, TheFileItselfIsNoAccessLog) {
  const Checked checked = check("server: { accessLog: { path: " + file_ + " } }");
  EXPECT_EQ(checked.status, 2);
  EXPECT_EQ(checked.complaints, file_ + ": server.accessLog.path is the configuration file itself (\"" +
                                    file_ + "\"), expected another file\n");
}

TEST_F(CheckCommand, AnExpiredCertificateIsGoodWithAWarning) {
  const TestCertificate expired(TestCertificateOptions{.valid_from_s = -7200, .valid_until_s = -3600});
  const Checked checked = check(expired.certificate_file(), expired.key_file());
  EXPECT_EQ(checked.status, 0);
  EXPECT_THAT(checked.out, StartsWith(file_ + " is good\n"));
  EXPECT_THAT(checked.complaints, StartsWith(file_ + ": warning: server.tls: certificate file \"" +
                                             expired.certificate_file() + "\": the certificate expired on "));
}

}  // namespace
}  // namespace fanfare::app
