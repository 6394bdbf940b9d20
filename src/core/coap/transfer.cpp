#include "core/coap/transfer.h"

#include <fmt/core.h>

#include <algorithm>

namespace aiot::coap {
namespace {

constexpr std::uint8_t kContinue = code(2, 31);
constexpr std::uint8_t kIncomplete = code(4, 8);
constexpr std::uint8_t kTooLarge = code(4, 13);
constexpr std::uint8_t kFetch = 5;
/// A representation that changes under a download is fetched anew this often (RFC 7959 section 2.4).
constexpr int kMaxDownloadRestarts = 3;

std::optional<std::string> first_option(const Message& message, std::uint16_t number) {
  for (const auto& [at, value] : message.options) {
    if (at == number) return value;
  }
  return std::nullopt;
}

/// Nothing: absent. An inner nothing: present and malformed.
std::optional<std::optional<Block>> find_block(const Message& message, std::uint16_t number, bool reliable) {
  const auto raw = first_option(message, number);
  if (!raw) return std::nullopt;
  const auto value = message.uint_option(number);
  if (raw->size() > 3 || !value) return std::optional<Block>{};
  const auto block = Block::decode(static_cast<std::uint32_t>(*value));
  if (block.szx == Block::kBert && !reliable) return std::optional<Block>{};
  return block;
}

}  // namespace

Transfer::Transfer(std::uint8_t code, OptionList options, std::string payload, const Limits& limits)
    : code_(code), options_(std::move(options)), payload_(std::move(payload)), limits_(limits) {}

Block Transfer::upload_block() const {
  const Block shape{0, false, upload_szx_};
  const auto number = static_cast<std::uint32_t>(sent_ / shape.size());
  return {number, sent_ + shape.size() < payload_.size(), upload_szx_};
}

Message Transfer::next() const {
  Message message;
  message.code = code_;
  message.options = options_;
  if (downloading_ && !body_.empty()) {
    const Block shape{0, false, download_szx_};
    message.add_uint(
        option::kBlock2,
        Block{static_cast<std::uint32_t>(body_.size() / shape.size()), false, download_szx_}.encode());
    // A FETCH is told apart by its payload as well (RFC 8132 section 2.1); the others have delivered theirs.
    if (code_ == kFetch && payload_.size() <= limits_.max_single) message.payload = payload_;
    return message;
  }
  if (observe_) message.add_uint(option::kObserve, 0);
  if (uploading_ || payload_.size() > limits_.max_single) {
    const auto block = upload_block();
    message.add_uint(option::kBlock1, block.encode());
    if (sent_ == 0) message.add_uint(option::kSize1, payload_.size());
    message.payload = payload_.substr(sent_, block.size());
  } else {
    message.payload = payload_;
  }
  return message;
}

Transfer::Step Transfer::take(Message answer) {
  ++answers_;
  if (downloading_ && !body_.empty()) return take_download(std::move(answer));
  if (uploading_ || payload_.size() > limits_.max_single || answer.code == kTooLarge)
    return take_upload(std::move(answer));
  if (answer.code == kContinue) return fail("answered 2.31 Continue to a request that was complete");
  return take_download(std::move(answer));
}

Transfer::Step Transfer::take_upload(Message answer) {
  const auto found = find_block(answer, option::kBlock1, limits_.reliable);
  if (found && !*found) return fail("answered with a malformed Block1 option");
  const bool was_last = !upload_block().more;
  const bool in_blocks = uploading_ || payload_.size() > limits_.max_single;

  if (answer.code == kTooLarge) {
    // "Too large" with a smaller block asks for such blocks, once (RFC 7959 section 2.9.3).
    if (found && !shrunk_ && !payload_.empty() && (*found)->szx < (in_blocks ? upload_szx_ : 7) &&
        (*found)->size() < payload_.size()) {
      shrunk_ = true;
      return restart_upload((*found)->szx);
    }
    return take_download(std::move(answer));
  }
  if (answer.code == kIncomplete && in_blocks && upload_restarts_ == 0) {
    ++upload_restarts_;
    return restart_upload(upload_szx_);
  }
  const int klass = answer.code >> 5;
  if (klass != 2) return take_download(std::move(answer));
  if (was_last) {
    if (answer.code == kContinue) return fail("asked to continue after the last block");
    uploading_ = false;
    sent_ = payload_.size();
    return take_download(std::move(answer));
  }
  if (!found) return fail("answered before the upload was complete");
  const auto sent = upload_block();
  if ((*found)->number != sent.number) return fail("confirmed another block than the one sent");
  uploading_ = true;
  sent_ += sent.size();
  if ((*found)->szx < upload_szx_) upload_szx_ = (*found)->szx;
  return Step::send;
}

Transfer::Step Transfer::restart_upload(std::uint8_t szx) {
  uploading_ = true;
  sent_ = 0;
  upload_szx_ = std::min<std::uint8_t>(szx, 6);
  limits_.max_single = std::min(limits_.max_single, Block{0, false, upload_szx_}.size());
  return Step::send;
}

Transfer::Step Transfer::take_download(Message answer) {
  const auto found = find_block(answer, option::kBlock2, limits_.reliable);
  if (found && !*found) return fail("answered with a malformed Block2 option");
  const int klass = answer.code >> 5;
  if (klass != 2 || !found) {
    if (downloading_ && !body_.empty() && klass == 2) return fail("answered a later block with the whole");
    if (answer.payload.size() > limits_.max_payload)
      return fail(fmt::format("answered with more than {} bytes", limits_.max_payload));
    answer_ = std::move(answer);
    return Step::done;
  }

  const Block block = **found;
  auto etag = first_option(answer, option::kEtag);
  if (block.offset() != body_.size()) {
    // A peer that cannot give the block asked for may start again from the first.
    if (block.number == 0) return restart_download();
    return fail("answered with another block than the one asked for");
  }
  if (block.number > 0 && etag != etag_) return restart_download();
  const bool bert = block.szx == Block::kBert;
  const bool whole = bert ? !answer.payload.empty() && answer.payload.size() % 1024 == 0
                          : answer.payload.size() == block.size();
  if ((block.more && !whole) || (!bert && answer.payload.size() > block.size()))
    return fail("answered with a block that is not of its size");
  if (body_.size() + answer.payload.size() > limits_.max_payload)
    return fail(fmt::format("answered with more than {} bytes", limits_.max_payload));

  if (block.number == 0) {
    // The first answer keeps its options: an observation's sequence stands there.
    etag_ = std::move(etag);
    answer_ = answer;
  }
  body_ += answer.payload;
  download_szx_ = bert ? std::uint8_t{6} : block.szx;
  if (block.more) {
    if (body_.size() / Block{0, false, download_szx_}.size() > Block::kMaxNumber)
      return fail("answered with more blocks than can be numbered");
    downloading_ = true;
    return Step::send;
  }
  answer_.payload = std::move(body_);
  body_.clear();
  return Step::done;
}

Transfer::Step Transfer::restart_download() {
  if (++download_restarts_ > kMaxDownloadRestarts)
    return fail("changed its answer again and again while it was read");
  body_.clear();
  etag_.reset();
  // A write must not be repeated just to read its answer again; only what is safe starts over.
  constexpr std::uint8_t kGet = 1;
  if (code_ != kGet && code_ != kFetch) return fail("changed its answer while it was read");
  downloading_ = false;
  uploading_ = false;
  sent_ = 0;
  return Step::send;
}

Transfer::Step Transfer::fail(std::string message) {
  error_ = make_error(Errc::peer_failed, std::move(message));
  return Step::failed;
}

}  // namespace aiot::coap
