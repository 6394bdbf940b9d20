#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/coap/message.h"
#include "core/coap/pdu.h"

namespace aiot::coap {

using OptionList = std::vector<std::pair<std::uint16_t, std::string>>;

/// One request and its whole answer, block-wise both ways (RFC 7959), as a pure state machine: it says what
/// to send next and takes what came back. It knows no socket, no clock, no token and no message id.
class Transfer {
 public:
  struct Limits {
    std::size_t max_payload = 1024 * 1024;  ///< of the answer; a larger one fails
    std::size_t max_single = 1024;          ///< a request payload up to this goes in one message
    bool reliable = false;                  ///< TCP: blocks of size 7 (BERT) may come
  };
  enum class Step : std::uint8_t { send, done, failed };

  /// A request of `code` with `options` (no Block, Size or Observe among them).
  Transfer(std::uint8_t code, OptionList options, std::string payload, const Limits& limits);

  /// Registers an observation with the first message: Observe = 0 (RFC 7641 section 3.1).
  void set_observe() { observe_ = true; }
  void set_max_single(std::size_t size) { limits_.max_single = size; }
  void set_reliable(bool reliable) { limits_.reliable = reliable; }

  /// The message to send now, without type, id and token.
  [[nodiscard]] Message next() const;
  /// Takes the answer to what next() gave (or a notification, to fetch the rest of it).
  Step take(Message answer);

  /// After `done`: the answer with its whole payload; codes 4.xx and 5.xx are answers too.
  [[nodiscard]] Message& answer() { return answer_; }
  /// After `failed`: Errc::peer_failed, what the peer did wrong.
  [[nodiscard]] Error& error() { return error_; }
  /// True while no answer has been taken yet.
  [[nodiscard]] bool first() const { return answers_ == 0; }

 private:
  Step take_upload(Message answer);
  Step take_download(Message answer);
  Step restart_upload(std::uint8_t szx);
  Step restart_download();
  Step fail(std::string message);
  [[nodiscard]] Block upload_block() const;

  std::uint8_t code_;
  OptionList options_;
  std::string payload_;
  Limits limits_;
  bool observe_ = false;
  std::uint32_t answers_ = 0;

  bool uploading_ = false;
  std::size_t sent_ = 0;  ///< bytes of the payload the peer has confirmed
  std::uint8_t upload_szx_ = 6;
  bool shrunk_ = false;
  int upload_restarts_ = 0;

  bool downloading_ = false;
  std::string body_;
  std::uint8_t download_szx_ = 6;
  std::optional<std::string> etag_;
  int download_restarts_ = 0;

  Message answer_;
  Error error_;
};

}  // namespace aiot::coap
