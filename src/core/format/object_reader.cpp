#include "core/format/object_reader.hpp"

#include <utility>

#include "core/format/json_builder.hpp"

namespace snapback {
namespace {

class ObjectHandler final : public nlohmann::json_sax<Json> {
 public:
  ObjectHandler(const char* name, std::size_t max_members, ObjectVisitor& visitor) : document_(name), visitor_(visitor), builder_(name, max_members) {}

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // GCOVR_EXCL_LINE: never called for JSON text
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (depth_ == 1) {
      taken_ = visitor_.member(name);
      member_ = std::move(name);
    } else if (taken_ != Taken::skipped) {
      builder_.key(std::move(name));
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  using Taken = ObjectVisitor::Taken;

  // Depth at which values begin: the member itself, or the elements of its list.
  std::size_t value_depth() const { return taken_ == Taken::whole ? 1 : 2; }

  bool open(Json&& empty) {
    ++depth_;
    if (depth_ == 1) {
      if (!empty.is_object()) no_object();
    } else if (taken_ != Taken::skipped) {
      if (depth_ > value_depth())
        builder_.open(std::move(empty));
      else if (!empty.is_array())
        no_list();
    }
    return true;
  }

  bool close() {
    if (depth_ > 1 && taken_ != Taken::skipped && depth_ > value_depth()) {
      builder_.close();
      hand_over();
    }
    --depth_;
    return true;
  }

  template <typename Value>
  bool scalar(Value&& value) {
    if (depth_ == 0) no_object();
    if (taken_ == Taken::skipped) return true;
    if (depth_ < value_depth()) no_list();
    builder_.put(Json(std::forward<Value>(value)));
    hand_over();
    return true;
  }

  void hand_over() {
    if (builder_.complete()) visitor_.value(member_, builder_.value());
  }

  [[noreturn]] void no_object() const { fields::damaged(document_, "it is no JSON object"); }
  [[noreturn]] void no_list() const { fields::damaged(document_, "\"" + member_ + "\" is no array"); }

  const char* document_;
  ObjectVisitor& visitor_;
  JsonBuilder builder_;
  Taken taken_ = Taken::skipped;
  std::string member_;
  std::size_t depth_ = 0;
};

}  // namespace

void read_object(const char* name, std::string_view text, std::size_t max_members, ObjectVisitor& visitor) {
  ObjectHandler handler(name, max_members, visitor);
  if (!Json::sax_parse(text.begin(), text.end(), &handler)) fields::damaged(name, "it is no JSON");
}

}  // namespace snapback
