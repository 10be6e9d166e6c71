#pragma once
// Small records at the broker that all instances of a program see: the last one of each key, written on condition that it is the one that the
// writer knows. And questions from one instance to another.
//
// The broker has a thread of its own. It calls everything that is passed here, and all functions are for it alone unless stated
// otherwise. At the stop, callbacks that still wait for an answer are destroyed without a call.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "fanfare/unique_function.h"

namespace fanfare::relay {

class RecordUser {
 public:
  RecordUser() = default;
  RecordUser(const RecordUser&) = delete;
  RecordUser& operator=(const RecordUser&) = delete;
  virtual ~RecordUser() = default;

  // Another instance asks this one.
  virtual std::string on_asked(std::string_view question) = 0;
  // The broker may have lost records that it had stored.
  virtual void on_forgotten() = 0;
  // Several times a second, and soon after post().
  virtual void on_tick(Instant now) = 0;
};

class RecordBroker {
 public:
  enum class Failure : std::uint8_t {
    conflict,  // certainly not stored: the key has another revision
    away,      // no answer, or a refusal: nobody knows whether it was stored
  };
  struct Stored {
    std::string value;
    std::uint64_t revision = 0;
  };
  using Got = UniqueFunction<void(std::expected<std::optional<Stored>, Failure>)>;
  using Done = UniqueFunction<void(std::expected<std::uint64_t, Failure>)>;  // the new revision
  using Answered = UniqueFunction<void(std::optional<std::string>)>;

  RecordBroker() = default;
  RecordBroker(const RecordBroker&) = delete;
  RecordBroker& operator=(const RecordBroker&) = delete;
  virtual ~RecordBroker() = default;

  // Whether it could store something now. Any thread.
  virtual bool is_up() const = 0;
  // `key`: as a part of a subject, A-Z a-z 0-9.
  virtual void get(const std::string& key, Got done) = 0;
  // `after`: the revision that the new record replaces; zero: the key has no record yet.
  virtual void put(const std::string& key, std::string value, std::uint64_t after, Done done) = 0;
  // Empty: that instance is gone, or it has not answered within a second.
  virtual void ask(std::uint64_t instance, std::string question, Answered done) = 0;
  // Any thread. Destroys the task after the stop.
  virtual void post(UniqueFunction<void()> task) = 0;
  // Of a value.
  virtual std::size_t bytes_max() const = 0;
  // A record is longer: this looks now and then whether the broker takes it by now.
  virtual void want_larger() = 0;
};

}  // namespace fanfare::relay
