#include "core/coap/observe_task.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/random.h"

namespace aiot::coap {
namespace {

constexpr std::uint64_t kDefaultMaxAge = 60;  ///< RFC 7252 section 5.10.5
/// A lost observation is found out at least this often, whatever Max-Age says.
constexpr std::uint64_t kMostMaxAge = 24 * 3600;
constexpr std::uint8_t kValid = code(2, 3);

std::string make_token() {
  std::string token(8, '\0');
  random_bytes(token.data(), token.size());
  return token;
}

std::string describe(const Message& message) {
  return fmt::format("{}{}{}", code_text(message.code), code_phrase(message.code).empty() ? "" : " ",
                     code_phrase(message.code));
}

}  // namespace

ObserveTask::ObserveTask(ClientCore& core, Request request, SocketAddress local, Next next, Completion<> done)
    : core_(core),
      request_(std::move(request)),
      local_(local),
      next_(std::move(next)),
      done_(std::move(done)),
      backoff_(core.limits().first_retry, core.limits().last_retry) {}

ObserveTask::~ObserveTask() = default;

void ObserveTask::begin() {
  if (auto valid = check_request(request_, core_.limits().max_payload); !valid)
    return give_up(std::move(valid).error());
  if (is_write(request_.method))
    return give_up(make_error(Errc::usage, "only GET and FETCH can be observed"));
  options_ = request_options(request_);
  register_anew();
}

void ObserveTask::cancel() {
  if (std::exchange(cancelled_, true)) return;
  done_.dismiss();
  if (standing_) {
    // Observe = 1 with the same token (RFC 7641 section 3.6). Best effort: what comes all the same is reset.
    Message leave = make_transfer(options_).next();
    leave.type = endpoint_.tcp ? Type::con : Type::non;
    leave.token = token_;
    leave.add_uint(option::kObserve, 1);
    core_.destination(endpoint_).send_unasked(leave);
  }
  stop_waiting();
  attempt_.reset();
  forget_registration();
  core_.finished(*this);
}

// ---- registering ----

Transfer ObserveTask::make_transfer(OptionList options) const {
  Transfer::Limits limits;
  limits.max_payload = core_.limits().max_payload;
  return {code(0, static_cast<int>(request_code(request_.method))), std::move(options), request_.payload,
          limits};
}

void ObserveTask::register_anew() {
  token_ = make_token();
  Attempt::Spec spec;
  spec.options = options_;
  spec.local = local_;
  spec.deadline = core_.loop().now() + std::max(request_.timeout, Duration::zero());
  spec.token = token_;
  spec.observer = this;
  const auto attempt = std::make_shared<Attempt>(
      core_, request_, std::move(spec),
      [this](std::variant<Answer, Failure> result) { on_registered(std::move(result)); });
  attempt_ = attempt;
  attempt->start();
}

void ObserveTask::on_registered(std::variant<Answer, Failure> result) {
  const auto attempt = std::move(attempt_);
  attempt_.reset();
  if (auto* failure = std::get_if<Failure>(&result)) {
    auto error = std::move(failure->error);
    error.outcome = Outcome::none;
    if (answered_) return retry_later(error.message);
    error.message = fmt::format("observing {}: {}", request_.uri.text, error.message);
    return give_up(std::move(error));
  }
  auto& message = std::get<Answer>(result).message;
  endpoint_ = attempt->endpoint();
  standing_ = true;
  const auto sequence = message.uint_option(option::kObserve);
  if (!succeeded(message) || !sequence) {
    forget_registration();
    if (answered_) {
      const auto reason = succeeded(message) ? std::string("the peer no longer lets it be observed")
                                             : "answered " + describe(message);
      if (succeeded(message) && differs(message)) emit(std::move(message));
      return retry_later(reason);
    }
    if (!succeeded(message)) return give_up(make_answer_error(request_, message));
    return give_up(make_error(Errc::rejected, fmt::format("{} is not observable", request_.uri.text)));
  }
  order_.reset();
  order_.accept(static_cast<std::uint32_t>(*sequence), core_.loop().now());
  backoff_.reset();
  answered_ = true;
  if (std::exchange(lost_, false)) emit(StreamEvent::Kind::resumed, "registered again");
  await_notification(message);
  emit(std::move(message));
}

void ObserveTask::retry_later(const std::string& reason) {
  forget_registration();
  stop_waiting();
  if (!std::exchange(lost_, true)) {
    ++core_.count().losses;
    emit(StreamEvent::Kind::lost, reason);
  }
  retry_ = core_.deadlines().at(core_.loop().now() + backoff_.next(), [this] { register_anew(); });
}

void ObserveTask::give_up(Error error) {
  stop_waiting();
  forget_registration();
  core_.later([self = std::static_pointer_cast<ObserveTask>(shared_from_this()), error = std::move(error)] {
    auto done = std::move(self->done_);
    self->core_.finished(*self);
    done(error);
  });
}

// ---- listening ----

void ObserveTask::on_notification(Message message) {
  if (!standing_) return;
  const auto sequence = message.uint_option(option::kObserve);
  if (!succeeded(message)) return retry_later("the peer ended it: " + describe(message));
  if (!sequence) {
    emit(std::move(message));
    return retry_later("the peer ended it");
  }
  // A stream keeps the order by itself (RFC 8323 section 7.1).
  if (!endpoint_.tcp && !order_.accept(static_cast<std::uint32_t>(*sequence), core_.loop().now())) {
    ++core_.count().stale;
    return;
  }
  ++core_.count().notifications;
  await_notification(message);
  fetch_rest(std::move(message));
}

void ObserveTask::on_lost(const std::string& reason) {
  if (!standing_) return;
  retry_later(reason);
}

/// A notification carries the first block only (RFC 7959 section 2.6); a newer one makes the rest worthless.
void ObserveTask::fetch_rest(Message first) {
  if (const auto before = std::exchange(exchange_, nullptr)) core_.destination(endpoint_).cancel(*before);
  auto transfer = make_transfer(options_);
  transfer.set_reliable(endpoint_.tcp);
  switch (transfer.take(std::move(first))) {
    case Transfer::Step::done: return emit(std::move(transfer.answer()));
    case Transfer::Step::failed: return retry_later("the peer " + transfer.error().message);
    case Transfer::Step::send: break;
  }
  exchange_ = std::make_shared<Exchange>(std::move(transfer), request_.confirmable,
                                         core_.loop().now() + request_.timeout,
                                         [this](std::variant<Answer, Failure> result) {
                                           exchange_.reset();
                                           if (auto* failure = std::get_if<Failure>(&result))
                                             return retry_later(failure->error.message);
                                           auto& message = std::get<Answer>(result).message;
                                           if (!succeeded(message))
                                             return retry_later("answered " + describe(message));
                                           emit(std::move(message));
                                         });
  core_.destination(endpoint_).submit(exchange_);
}

void ObserveTask::await_notification(const Message& message) {
  stop_waiting();
  const auto& limits = core_.limits();
  const auto max_age = std::min(message.uint_option(option::kMaxAge).value_or(kDefaultMaxAge), kMostMaxAge);
  const auto spread = std::max(limits.most_grace - limits.least_grace, Duration::zero());
  const auto grace =
      limits.least_grace + Duration(random_u64() % static_cast<std::uint64_t>(spread.count() + 1));
  expiry_ =
      core_.deadlines().at(core_.loop().now() + std::chrono::seconds(max_age) + grace, [this] { refresh(); });
}

void ObserveTask::stop_waiting() {
  core_.deadlines().cancel(expiry_);
  core_.deadlines().cancel(retry_);
}

/// Silence past Max-Age: the peer may have restarted, or dropped us. The same request with the same token
/// finds out (RFC 7641 section 3.3.1).
void ObserveTask::refresh() {
  if (exchange_) return;  // the rest of a notification is under way, and renews the wait
  auto options = options_;
  if (last_ && !last_->etag.empty()) options.emplace_back(option::kEtag, last_->etag);
  auto transfer = make_transfer(std::move(options));
  transfer.set_observe();
  exchange_ = std::make_shared<Exchange>(
      std::move(transfer), request_.confirmable, core_.loop().now() + request_.timeout,
      [this](std::variant<Answer, Failure> result) { on_refreshed(std::move(result)); });
  exchange_->first_token = token_;
  core_.destination(endpoint_).submit(exchange_);
}

void ObserveTask::on_refreshed(std::variant<Answer, Failure> result) {
  exchange_.reset();
  if (auto* failure = std::get_if<Failure>(&result)) return retry_later(failure->error.message);
  auto& message = std::get<Answer>(result).message;
  if (!succeeded(message)) return retry_later("answered " + describe(message));
  const auto sequence = message.uint_option(option::kObserve);
  const bool news = message.code != kValid && differs(message);
  if (!sequence) {
    if (news) emit(std::move(message));
    return retry_later("the peer no longer lets it be observed");
  }
  order_.reset();
  order_.accept(static_cast<std::uint32_t>(*sequence), core_.loop().now());
  await_notification(message);
  if (!news) return;
  // The value changed and nobody told: the old registration was gone.
  emit(StreamEvent::Kind::lost, "the value changed without a notification");
  emit(StreamEvent::Kind::resumed, "registered again");
  emit(std::move(message));
}

void ObserveTask::forget_registration() {
  if (const auto before = std::exchange(exchange_, nullptr)) core_.destination(endpoint_).cancel(*before);
  if (std::exchange(standing_, false)) core_.destination(endpoint_).remove_observer(token_);
}

// ---- telling ----

bool ObserveTask::differs(const Message& message) const {
  return !last_ || last_->payload != message.payload ||
         last_->format != message.uint_option(option::kContentFormat);
}

void ObserveTask::emit(Message message) {
  auto response = make_response(request_, message, core_.loop().wall_now());
  last_ = Last{std::move(message.payload), message.uint_option(option::kContentFormat), response.etag};
  deliver(std::move(response));
}

void ObserveTask::emit(StreamEvent::Kind kind, std::string reason) {
  StreamEvent event;
  event.kind = kind;
  event.uri = request_.uri.text;
  event.reason = std::move(reason);
  event.time = core_.loop().wall_now();
  deliver(std::move(event));
}

void ObserveTask::deliver(Client::Notification notification) {
  core_.later([self = std::static_pointer_cast<ObserveTask>(shared_from_this()),
               notification = std::make_shared<Client::Notification>(std::move(notification))] {
    if (!self->cancelled_) self->next_(std::move(*notification));
  });
}

}  // namespace aiot::coap
