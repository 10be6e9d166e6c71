#include "rpc/service.h"

#include <memory>
#include <utility>

#include "access/quota.h"
#include "base/guard.h"

namespace fanfare::rpc {
namespace {

CallReader::Limits reader_limits(const Limits& limits) {
  return {.parse = {.batch_elements_max = limits.batch_items_max, .version_1 = limits.version_1},
          .batch_answer_bytes_max = limits.batch_answer_bytes_max};
}

}  // namespace

void Service::pay(const Caller& caller, std::size_t bytes) const {
  if (caller.payer != nullptr) caller.payer->charge_bytes(bytes, context_.server.loop().now());
}

Service::Service(const Limits& limits, const Context& context)
    : limits_(limits),
      context_(context),
      reader_(reader_limits(limits),
              {.methods = context.methods, .observer = context.observer, .loop = context.server.loop()}),
      slices_(context.server.loop(), context.clock, context.slice_load) {}

void Service::set_limits(const Limits& limits) {
  limits_ = limits;
  reader_.set_limits(reader_limits(limits));
}

std::shared_ptr<ByteShare> Service::make_share() const {
  return std::make_shared<ByteShare>(context_.budget, limits_.held_bytes_per_connection_max);
}

void Service::on_open(Connection& connection, session::Session& session) {
  connection.session_ = &session;
}

void Service::on_message(Connection& connection, std::string_view text) {
  context_.observer.on_received(text.size());
  if (run_guarded("a message", [&] { handle_message(connection, text); })) return;
  // It is not known here which of its calls were answered.
  end(connection, Ended::no_memory, "out of memory");
}

void Service::refuse_message(Connection& connection, std::string_view text, const Refusal& refusal) {
  context_.observer.on_received(text.size());
  const auto refuse = [&] { run(connection, reader_.refuse(text.size(), refusal)); };
  if (!run_guarded("a message", refuse)) end(connection, Ended::no_memory, "out of memory");
}

// Credentials may change between two slices.
Origin Service::origin_of(Connection& connection) {
  return {.session = connection.session(), .caller = connection.caller_, .connection = &connection};
}

void Service::handle_message(Connection& connection, std::string_view text) {
  if (!CallReader::is_long_batch(text)) {
    return run(connection, reader_.read(text, origin_of(connection), connection.share_));
  }
  auto batch = std::make_unique<LongBatch>(reader_, KeptText(connection.session(), text), connection.share_);
  do_in_slices(connection, [this, batch = std::move(batch)](Connection& asker, Slice& slice) {
    auto read = batch->read_on(origin_of(asker), slice);
    if (!read) return false;
    run(asker, *std::move(read));
    return true;
  });
}

void Service::run(Connection& connection, ReadText read) {
  rest(connection, read.rest);
  if (!read.message) return reply(connection, std::move(read.message.error()));
  Message& message = *read.message;
  if (message.open == 0) return reply(connection, complete_on_loop(std::move(message)));
  const std::uint32_t open = message.open;
  connection.in_flight_ += open;
  update_reading(connection);
  context_.methods.run(std::move(message), origin_of(connection),
                       [this, id = connection.session().id(), open](Reply answered) {
                         session::Session* asker = context_.server.sessions().find(id);
                         if (asker == nullptr) return;
                         answered.open = open;
                         reply(context_.connection_of(*asker), std::move(answered));
                       });
}

template <typename Step>
void Service::do_in_slices(Connection& connection, Step step) {
  slices_.run([this, id = connection.session().id(), step = std::move(step),
               is_counted = false](Slice& slice) mutable {
    session::Session* const session = context_.server.sessions().find(id);
    if (session == nullptr || !session->is_open()) return false;
    Connection& asker = context_.connection_of(*session);
    bool is_done = false;
    if (!run_guarded("a message", [&] { is_done = step(asker, slice); })) {
      end(asker, Ended::no_memory, "out of memory");
      return false;
    }
    // What is done in its first slice stops nothing.
    if (is_done ? is_counted : !is_counted) {
      is_counted = !is_done;
      asker.in_slices_ += is_done ? -1 : 1;
      update_reading(asker);
    }
    return !is_done;
  });
}

void Service::join_in_slices(Connection& connection, Reply reply) {
  auto answer = std::make_unique<LongAnswer>(std::move(*reply.unfinished), LongAnswer::Form::frame);
  do_in_slices(connection,
               [this, answer = std::move(answer), open = reply.open](Connection& asker, Slice& slice) {
                 auto joined = answer->join_on(slice);
                 if (!joined) return false;
                 joined->open = open;
                 this->reply(asker, *std::move(joined));
                 return true;
               });
}

void Service::rest(Connection& connection, Duration time) {
  if (time == Duration::zero()) return;
  connection.rests_ = true;
  context_.server.loop().call_after(time, [this, id = connection.session().id()] {
    session::Session* const session = context_.server.sessions().find(id);
    if (session == nullptr) return;
    Connection& rested = context_.connection_of(*session);
    rested.rests_ = false;
    update_reading(rested);
  });
}

}  // namespace fanfare::rpc
