#include "core/format/json_builder.hpp"

namespace snapback {
namespace {

class BuilderHandler final : public nlohmann::json_sax<Json> {
 public:
  explicit BuilderHandler(JsonBuilder& builder) : builder_(builder) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // GCOVR_EXCL_LINE: never called for JSON text
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    builder_.key(std::move(name));
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool put(Json&& value) {
    builder_.put(std::move(value));
    return true;
  }
  bool open(Json&& empty) {
    builder_.open(std::move(empty));
    return true;
  }
  bool close() {
    builder_.close();
    return true;
  }

  JsonBuilder& builder_;
};

}  // namespace

Json parse_bounded(const char* document, std::string_view text, std::size_t max_members) {
  JsonBuilder builder(document, max_members);
  BuilderHandler handler(builder);
  if (!Json::sax_parse(text.begin(), text.end(), &handler)) fields::damaged(document, "it is no JSON");
  return std::move(builder.value());
}

}  // namespace snapback
