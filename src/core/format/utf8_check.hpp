// Whether a text that comes in pieces is UTF-8 (RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF).
#pragma once

#include <string_view>

namespace snapback {

class Utf8Check {
 public:
  // False when the text so far cannot be the beginning of UTF-8; starts anew then.
  bool update(std::string_view piece);
  // True when no character is cut off at the end of what came so far.
  bool complete() const { return missing_ == 0; }
  void reset() { missing_ = 0; }

 private:
  unsigned missing_ = 0;  // bytes to come of the current character
  unsigned char low_ = 0x80, high_ = 0xbf;  // bounds of the next of them
};

}  // namespace snapback
