// Rows of a table of text, read off the event loop (src/formats/plain-rows.ts).
#include "core/storage/text_rows.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/registry.hpp"

namespace dladmm::addon {
namespace {

// TextRows({ delimiter, decimal, trims, codes })
class TextRowsHandle : public Handle<TextRowsHandle> {
 public:
  static std::vector<PropertyDescriptor> properties() {
    return {InstanceMethod<&TextRowsHandle::read>("read"), InstanceMethod<&TextRowsHandle::take>("take"),
            InstanceMethod<&TextRowsHandle::close>("close")};
  }

  explicit TextRowsHandle(const Napi::CallbackInfo& info) : Handle<TextRowsHandle>(info) {
    const Napi::Object options = object_argument(info, 0, "options");
    dialect_ = {sign_member(options, "delimiter"), sign_member(options, "decimal"), member_flag(options, "trims"),
                member_flag(options, "codes")};
    start_jobs(info.Env(), JobQueue::Kind::serving);
  }

  ~TextRowsHandle() override { end(this->Env()); }
  TextRowsHandle(const TextRowsHandle&) = delete;
  TextRowsHandle& operator=(const TextRowsHandle&) = delete;

 private:
  static char sign_member(const Napi::Object& options, const char* name) {
    const std::string sign = member_string(options, name);
    if (sign.size() != 1 || static_cast<unsigned char>(sign[0]) > 0x7f)
      reject(options.Env(), std::string(name) + " must be one character of ASCII");
    return sign[0];
  }

  // read(text: Uint8Array, asked: Int8Array (0 nothing, 1 numbers, 2 cells), line, any) → Promise of { end, line,
  // stopped, lines, cells, odd, wide }
  Napi::Value read(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    need_idle(env);
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      reject(env, "text must be an array of type Uint8Array");
    }
    const auto bytes = info[0].As<Napi::Uint8Array>();
    if (bytes.ElementLength() > (std::size_t{1} << 30)) reject(env, "text must have at most 2^30 bytes");
    text_.assign(reinterpret_cast<const char*>(bytes.Data()), bytes.ElementLength());
    if (text_.empty() || (text_.back() != '\n' && text_.back() != '\r')) {
      reject(env, "text must end with a line end");
    }
    asked_.clear();
    for (const std::int8_t what : copied<std::int8_t>(env, info[1], "asked")) {
      if (what < 0 || what > 2) reject(env, "asked must hold 0, 1 and 2");
      asked_.push_back(static_cast<Asked>(what));
    }
    const std::size_t line = size_argument(info, 2, "line");
    const bool any = info[3].ToBoolean();
    return later(
        env,
        [this, line, any] {
          read_text_rows(text_, dialect_, asked_, line, any, found_);
          wide_.clear();
          for (std::size_t first = 0; first < found_.numbers.size(); first += found_.most) {
            wide_.push_back(is_wide({found_.numbers.data() + first, found_.rows}) ? 1 : 0);
          }
        },
        [this](Napi::Env there) -> Napi::Value { return told(there); });
  }

  // Whether there is a number that float32 does not hold.
  static bool is_wide(std::span<const double> numbers) {
    return std::ranges::any_of(numbers, [](double value) {
      return !std::isnan(value) && static_cast<double>(static_cast<float>(value)) != value;
    });
  }

  Napi::Value told(Napi::Env env) const {
    auto out = Napi::Object::New(env);
    out.Set("end", static_cast<double>(found_.end));
    out.Set("line", static_cast<double>(found_.line));
    out.Set("stopped", found_.stopped);
    out.Set("lines", typed_array<std::int32_t>(env, found_.lines));
    out.Set("wide", typed_array<std::int32_t>(env, wide_));
    std::vector<std::int32_t> flat;
    for (std::size_t first = 0; first < found_.cells.size(); first += found_.most) {
      for (std::size_t row = 0; row < found_.rows; ++row) {
        const auto [begin, end] = found_.cells[first + row];
        flat.insert(flat.end(), {begin, end});
      }
    }
    out.Set("cells", typed_array<std::int32_t>(env, flat));
    flat.clear();
    for (const auto& [column, row, place] : found_.odd) flat.insert(flat.end(), {column, row, place.begin, place.end});
    out.Set("odd", typed_array<std::int32_t>(env, flat));
    return out;
  }

  // take(column, into: Float64Array of as many as rows): of those asked for numbers
  void take(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    need_idle(env);
    const std::size_t column = size_argument(info, 0, "column");
    if (column >= wide_.size()) reject(env, "no such column");
    if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
      reject(env, "into must be an array of type Float64Array");
    }
    auto into = info[1].As<Napi::Float64Array>();
    if (into.ElementLength() != found_.rows) reject(env, "into must have one number a row");
    std::copy_n(found_.numbers.data() + column * found_.most, found_.rows, into.Data());
  }

  void close(const Napi::CallbackInfo& info) { end(info.Env()); }

  TextDialect dialect_;
  std::string text_;
  std::vector<Asked> asked_;
  TextRows found_;
  std::vector<std::int32_t> wide_;
};

const Exported<TextRowsHandle> exported("TextRows");

}  // namespace
}  // namespace dladmm::addon
