// The error type of everything below the SQL surface that is not an error of the server itself.
#pragma once

#include <exception>
#include <string>

namespace snapback {

// SQLSTATEs used by core and service (https://www.postgresql.org/docs/current/errcodes-appendix.html).
namespace sqlstate {
inline constexpr char invalid_parameter_value[] = "22023";
inline constexpr char undefined_object[] = "42704";
inline constexpr char undefined_table[] = "42P01";
inline constexpr char undefined_function[] = "42883";
inline constexpr char insufficient_privilege[] = "42501";
inline constexpr char duplicate_table[] = "42P07";
inline constexpr char wrong_object_type[] = "42809";
inline constexpr char feature_not_supported[] = "0A000";
inline constexpr char read_only_sql_transaction[] = "25006";
inline constexpr char object_not_in_prerequisite_state[] = "55000";
inline constexpr char object_in_use[] = "55006";
inline constexpr char lock_not_available[] = "55P03";
inline constexpr char serialization_failure[] = "40001";
inline constexpr char foreign_key_violation[] = "23503";
inline constexpr char check_violation[] = "23514";
inline constexpr char not_null_violation[] = "23502";
inline constexpr char data_corrupted[] = "XX001";
inline constexpr char internal_error[] = "XX000";
inline constexpr char disk_full[] = "53100";
inline constexpr char program_limit_exceeded[] = "54000";
inline constexpr char configuration_limit_exceeded[] = "53400";
inline constexpr char out_of_memory[] = "53200";
inline constexpr char io_error[] = "58030";
inline constexpr char undefined_file[] = "58P01";
inline constexpr char duplicate_file[] = "58P02";
inline constexpr char query_canceled[] = "57014";
inline constexpr char invalid_text_representation[] = "22P02";
inline constexpr char datatype_mismatch[] = "42804";
inline constexpr char untranslatable_character[] = "22P05";
inline constexpr char name_too_long[] = "42622";
inline constexpr char triggered_action_exception[] = "09000";
}  // namespace sqlstate

// One failure: SQLSTATE (five characters), primary message, DETAIL and HINT, each in PostgreSQL's message style. Owns its texts.
class error : public std::exception {
 public:
  error(const char* state, std::string message, std::string detail = {}, std::string hint = {})
      : sqlstate_(state), message_(std::move(message)), detail_(std::move(detail)), hint_(std::move(hint)) {}

  const char* sqlstate() const noexcept { return sqlstate_.c_str(); }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // A DETAIL that quotes values is for the caller only: the server's log gets this one instead. Empty: the log gets detail().
  error& log_detail(std::string text) {
    log_detail_ = std::move(text);
    return *this;
  }
  const std::string& log_detail() const noexcept { return log_detail_; }

 private:
  std::string sqlstate_, message_, detail_, hint_, log_detail_;
};

}  // namespace snapback
