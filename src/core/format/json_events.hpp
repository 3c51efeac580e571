// The events of nlohmann's parser, in the few kinds that those who build values tell apart.
#pragma once

#include <string>
#include <utility>

#include "core/format/manifest.hpp"

namespace snapback {

class JsonEvents : public nlohmann::json_sax<Json> {
 public:
  bool null() final { return put(nullptr); }
  bool boolean(bool value) final { return put(value); }
  bool number_integer(number_integer_t value) final { return put(value); }
  bool number_unsigned(number_unsigned_t value) final { return put(value); }
  bool number_float(number_float_t value, const string_t&) final { return put(value); }
  bool string(string_t& value) final { return put(std::move(value)); }
  bool binary(binary_t&) final { return false; }  // GCOVR_EXCL_LINE: never called for JSON text
  bool start_object(std::size_t) final { return open(Json::object()); }
  bool end_object() final { return close(); }
  bool start_array(std::size_t) final { return open(Json::array()); }
  bool end_array() final { return close(); }
  bool key(string_t& name) final {
    on_key(std::move(name));
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) final { return false; }

 protected:
  virtual void on_scalar(Json&& value) = 0;
  virtual void on_open(Json&& empty) = 0;  // an object or array, to be filled by what follows
  virtual void on_close() = 0;
  virtual void on_key(std::string&& name) = 0;

 private:
  bool put(Json&& value) {
    on_scalar(std::move(value));
    return true;
  }
  bool open(Json&& empty) {
    on_open(std::move(empty));
    return true;
  }
  bool close() {
    on_close();
    return true;
  }
};

}  // namespace snapback
