#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace aiot::coap {

/// What is answered to a request, but for message id and token. The views live as long as their owner.
struct AnswerView {
  std::uint8_t code = 0;
  std::optional<std::uint16_t> content_format;
  std::optional<std::uint32_t> max_age;
  std::optional<std::uint32_t> block1;
  std::optional<std::uint32_t> block2;
  std::optional<std::uint32_t> size1;
  std::optional<std::uint32_t> size2;
  std::string_view etag;
  const std::vector<std::string>* location_path = nullptr;
  std::string_view payload;
};

/// An answer that is kept. When it quotes the request, the request's payload belongs between `before` and
/// `after`; otherwise `before` is the whole payload.
struct KeptAnswer {
  AnswerView head;  ///< without payload, etag and location_path
  std::string etag;
  std::vector<std::string> location_path;
  bool quotes_request = false;
  std::string before;
  std::string after;

  /// The answer to a request with that payload; `scratch` holds the payload.
  [[nodiscard]] AnswerView view(std::string_view request_payload, std::string& scratch) const;
};

/// Answers kept once for all that were answered alike. "Received 'temperature:23°C'" is kept as "Received '",
/// the request's payload and "'", so that one entry serves every node. Bounded in number and bytes; what was
/// not used lately goes first (second chance). Pure.
class AnswerPool {
 public:
  static constexpr std::uint32_t kMaxAnswers = 8192;
  static constexpr std::size_t kMaxBytes = 8 * 1024 * 1024;
  /// Longer payloads are not kept: only their code is.
  static constexpr std::size_t kMaxPayload = 1280;
  /// Shorter request payloads appear in answers by accident; quoting them would only split what can be
  /// shared.
  static constexpr std::size_t kMinQuote = 3;
  static constexpr std::uint32_t kNothing = 0;
  /// Ids from here on are never given out.
  static constexpr std::uint32_t kReserved = 0xFFFFFF00;

  /// The id of `answer`, or kNothing when only its code is worth keeping.
  std::uint32_t put(const AnswerView& answer, std::string_view request_payload);
  /// Null when the pool has dropped it since.
  const KeptAnswer* get(std::uint32_t id);

  [[nodiscard]] std::size_t size() const { return index_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::uint32_t id = 0;  ///< of what is or was last kept here
    bool occupied = false;
    bool used = false;  ///< since the hand came by
    std::uint64_t hash = 0;
    std::size_t bytes = 0;
    KeptAnswer answer;
  };
  struct Parts;
  [[nodiscard]] static Parts parts_of(const AnswerView& answer, std::string_view request_payload);
  [[nodiscard]] static bool same(const KeptAnswer& kept, const Parts& parts);
  std::uint32_t vacant();
  void drop(Entry& entry);

  std::vector<Entry> entries_;  ///< grows up to kMaxAnswers; an id is a place and how often it was reused
  std::unordered_map<std::uint64_t, std::uint32_t> index_;  ///< hash of an answer -> its place
  std::uint32_t hand_ = 0;
  std::uint32_t last_ = 0;  ///< the place put() found last: nearly always the next one, too
  std::size_t bytes_ = 0;
};

}  // namespace aiot::coap
