#include "core/format/row_sink.hpp"

#include <algorithm>
#include <utility>

#include "core/format/scan.hpp"

namespace snapback {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";
constexpr std::size_t escape_size = 6;          // \u00XX
constexpr std::size_t escape_piece = 16 << 10;  // bytes escaped per reserve()
constexpr std::size_t slack = 16;               // what scan::copy_plain may write too much
constexpr std::size_t hex_piece = 64 << 10;
constexpr std::size_t fingerprint_buffer = 64 << 10;

static_assert(escape_piece * escape_size + slack <= RowSink::max_reserve);
static_assert(hex_piece * 2 <= RowSink::max_reserve);

char* write_escape(char* out, unsigned char c) {
  char short_form = 0;
  switch (c) {
    case '"':
    case '\\':
      short_form = static_cast<char>(c);
      break;
    case '\b':
      short_form = 'b';
      break;
    case '\f':
      short_form = 'f';
      break;
    case '\n':
      short_form = 'n';
      break;
    case '\r':
      short_form = 'r';
      break;
    case '\t':
      short_form = 't';
      break;
    default:
      std::memcpy(out, "\\u00", 4);
      out[4] = hex_digits[c >> 4];
      out[5] = hex_digits[c & 15];
      return out + 6;
  }
  out[0] = '\\';
  out[1] = short_form;
  return out + 2;
}

}  // namespace

RowSink::~RowSink() = default;

void RowSink::append_escaped(const char* data, std::size_t size) {
  while (size != 0) {
    const std::size_t piece = std::min(size, escape_piece);
    char* out = reserve(piece * escape_size + slack);
    const char* p = data;
    const char* const end = data + piece;
    for (;;) {
      scan::copy_plain(p, end, out);
      if (p == end) break;
      out = write_escape(out, static_cast<unsigned char>(*p++));
    }
    commit(out);
    data = end;
    size -= piece;
  }
}

void RowSink::append_hex(const unsigned char* data, std::size_t size) {
  while (size != 0) {
    const std::size_t piece = std::min(size, hex_piece);
    char* out = reserve(piece * 2);
    for (std::size_t i = 0; i < piece; ++i) {
      *out++ = hex_digits[data[i] >> 4];
      *out++ = hex_digits[data[i] & 15];
    }
    commit(out);
    data += piece;
    size -= piece;
  }
}

FingerprintSink::FingerprintSink() : buffer_(fingerprint_buffer, '\0') {
  cursor_ = buffer_.data();
  limit_ = cursor_ + buffer_.size();
}

FingerprintSink::~FingerprintSink() = default;

void FingerprintSink::begin_row() {
  cursor_ = buffer_.data();
  spilled_ = false;
}

void FingerprintSink::end_row(std::string_view key) {
  const std::string_view rest(buffer_.data(), static_cast<std::size_t>(cursor_ - buffer_.data()));
  bytes_ += rest.size();
  if (spilled_) {
    hasher_.update(rest);
    last_ = hasher_.finish();
  } else {
    last_ = row_hash(rest);
  }
  last_key_ = key.empty() ? Fingerprint{} : row_hash(key);
  fingerprint_.add(last_);
  ++rows_;
}

void FingerprintSink::make_room(std::size_t n) {
  const std::string_view held(buffer_.data(), static_cast<std::size_t>(cursor_ - buffer_.data()));
  if (!spilled_) hasher_.reset();
  hasher_.update(held);
  bytes_ += held.size();
  spilled_ = true;
  if (buffer_.size() < n) buffer_.resize(n);
  cursor_ = buffer_.data();
  limit_ = cursor_ + buffer_.size();
}

void FingerprintSink::reset_totals() {
  rows_ = bytes_ = 0;
  fingerprint_ = last_ = Fingerprint{};
}

}  // namespace snapback
