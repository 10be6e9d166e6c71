#include "gateway/admitted_caller.h"

#include <gtest/gtest.h>

#include <memory>

namespace fanfare::gateway {
namespace {

TEST(AdmittedCaller, IsFoundInWhatTheGateAttachedAndMissingWithoutAccessControl) {
  const auto principal = std::make_shared<const access::Principal>(
      access::Principal{.name = "ann", .roles = {}, .expires_at = {}, .origin = {}});
  const std::shared_ptr<server::Admitted> admitted = std::make_shared<AdmittedCaller>(principal, nullptr);
  const AdmittedCaller* const caller = AdmittedCaller::of(admitted.get());
  ASSERT_NE(caller, nullptr);
  EXPECT_EQ(caller->principal->name, "ann");
  EXPECT_EQ(AdmittedCaller::of(nullptr), nullptr);
}

TEST(AdmittedCallerDeathTest, AnotherAdmissionsCallerIsNotReadAsOne) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  class Stranger final : public server::Admitted {};
  const Stranger stranger;
  EXPECT_DEATH(AdmittedCaller::of(&stranger), "caller != nullptr");
}

}  // namespace
}  // namespace fanfare::gateway
