#include "core/coap/upload_table.h"

#include <algorithm>
#include <utility>

namespace aiot::coap {

void UploadTable::erase(Uploads::iterator upload) {
  by_key_.erase(std::string_view(upload->key));
  uploads_.erase(upload);
}

std::size_t UploadTable::expire(TimePoint now) {
  std::size_t gone = 0;
  while (!uploads_.empty() && now - uploads_.front().touched >= limits_.lifetime) {
    erase(uploads_.begin());
    ++gone;
  }
  return gone;
}

bool UploadTable::place(Upload& upload, std::size_t offset, std::string_view payload) {
  const auto end = offset + payload.size();
  if (upload.total && end > *upload.total) return false;
  if (upload.body.size() < end) upload.body.resize(end);
  const auto last_unit = (end + kUnit - 1) / kUnit;
  if (upload.have.size() < last_unit) upload.have.resize(last_unit);
  for (auto unit = offset / kUnit; unit < last_unit; ++unit) {
    const auto from = unit * kUnit;
    const auto piece = payload.substr(from - offset, kUnit);
    if (upload.have[unit]) {
      if (std::string_view(upload.body).substr(from, piece.size()) != piece) return false;
      continue;
    }
    std::copy(piece.begin(), piece.end(), upload.body.begin() + static_cast<std::ptrdiff_t>(from));
    upload.have[unit] = true;
    ++upload.units;
  }
  return true;
}

UploadTable::Outcome UploadTable::add(const std::string& key, const Block& block, std::string_view payload,
                                      std::optional<std::uint32_t> announced,
                                      std::optional<std::uint16_t> content_format, TimePoint now) {
  expire(now);
  auto known = by_key_.find(std::string_view(key));
  const auto offset = block.offset();
  const auto refuse = [&](Status status) {
    if (known != by_key_.end()) erase(known->second);
    return Outcome{status, {}};
  };

  if (offset + payload.size() > limits_.body || announced.value_or(0) > limits_.body)
    return refuse(Status::too_large);
  if (block.more && (payload.empty() || payload.size() % block.size() != 0)) return refuse(Status::malformed);
  if (!block.more && block.szx != Block::kBert && payload.size() > block.size())
    return refuse(Status::malformed);

  if (block.number == 0) {
    if (known != by_key_.end()) {
      auto& upload = *known->second;
      const bool repeated = upload.content_format == content_format && block.more &&
                            std::string_view(upload.body).substr(0, payload.size()) == payload;
      if (!repeated) {
        erase(known->second);
        known = by_key_.end();
      }
    }
    if (!block.more) {
      if (known != by_key_.end()) erase(known->second);
      return {Status::whole, std::string(payload)};
    }
    if (known == by_key_.end()) {
      if (uploads_.size() >= limits_.uploads) {
        if (uploads_.empty() || now - uploads_.front().touched < kMakesWay) return {Status::busy, {}};
        erase(uploads_.begin());
      }
      auto& upload = uploads_.emplace_back();
      upload.key = key;
      upload.content_format = content_format;
      known = by_key_.emplace(upload.key, std::prev(uploads_.end())).first;
    }
  }
  if (known == by_key_.end()) return {Status::incomplete, {}};

  auto& upload = *known->second;
  upload.touched = now;
  uploads_.splice(uploads_.end(), uploads_, known->second);
  if (content_format != upload.content_format && (content_format || block.number == 0))
    return refuse(Status::incomplete);
  if (!block.more) {
    const auto total = offset + payload.size();
    if ((upload.total && *upload.total != total) || upload.body.size() > total)
      return refuse(Status::incomplete);
    upload.total = total;
  }
  if (!place(upload, offset, payload)) return refuse(Status::incomplete);
  if (upload.total && upload.units == (*upload.total + kUnit - 1) / kUnit) {
    Outcome whole{Status::whole, std::move(upload.body)};
    erase(known->second);
    return whole;
  }
  // The last block with gaps before it: said so, and kept, so that the missing ones may follow.
  return {block.more ? Status::more : Status::incomplete, {}};
}

}  // namespace aiot::coap
