// The members of a request's JSON body, read one by one; every error says which member (JSON
// pointer) was expected to be what. Members nobody asks for are ignored, as AWS does.
#pragma once

#include "ca/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::api {

/// One JSON object. Null counts as absent. Cheap to copy; immutable.
class Input {
  public:
    /// An empty body is an empty object.
    /// @errors InvalidRequest  not JSON, not an object, or nested deeper than 32
    static Result<Input> parse(std::string_view body);

    /// Each: @errors InvalidRequest  another type; `where` = JSON pointer
    Result<std::optional<std::string>> optional_text(std::string_view name) const;
    Result<std::optional<bool>> optional_flag(std::string_view name) const;
    Result<std::optional<std::int64_t>> optional_integer(std::string_view name) const;
    Result<std::optional<Input>> optional_object(std::string_view name) const;
    Result<std::vector<std::string>> texts(std::string_view name) const;  ///< absent = empty
    /// {"name": "value"}; absent = nothing.
    Result<std::optional<std::map<std::string, std::string>>> optional_text_map(
        std::string_view name) const;
    /// Required forms. @errors InvalidRequest  absent too
    Result<std::string> text(std::string_view name) const;
    Result<Input> object(std::string_view name) const;

    bool has(std::string_view name) const;
    /// A list of objects; absent = empty.
    Result<std::vector<Input>> objects(std::string_view name) const;
    /// The names of this object's members that are not null.
    std::vector<std::string> member_names() const;
    const nlohmann::json& node() const { return *node_; }

  private:
    Input(std::shared_ptr<const nlohmann::json> root, const nlohmann::json* node, std::string at);
    const nlohmann::json* find(std::string_view name) const;
    std::string pointer_to(std::string_view name) const;
    Error wrong_type(std::string_view name,
                     std::string_view expected,
                     const nlohmann::json& found) const;

    std::shared_ptr<const nlohmann::json> root_;
    const nlohmann::json* node_;  // inside *root_
    std::string at_;
};

}  // namespace hatchery::api
