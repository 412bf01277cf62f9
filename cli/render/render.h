// From rows of values to text: tables for people, JSON and templates for programs.
//
// --format takes what Docker users type: "json" (one object a line), "table {{.Name}}\t{{.ID}}", or
// a template of {{.Field}}, {{.Field.Inner}}, {{json .}} and {{json .Field}} with \t and \n.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/types/result.h"
#include "cli/render/value.h"

namespace shoal::cli {

struct Column {
  std::string header;         // "NETWORK ID"
  std::string template_text;  // "{{.ID}}"
};

// One line per row, columns padded to the widest cell and three spaces, as Docker prints.
Result<std::string> render_table(const std::vector<Column>& columns, const Value::Array& rows);

// `format` applied to each row ("json", "table ..." or a template); "" gives the table of
// `columns`.
Result<std::string> render_list(std::string_view format, const std::vector<Column>& columns,
                                const Value::Array& rows);

// Inspect: "" prints a pretty JSON array of all items, else the template applied to each.
Result<std::string> render_inspect(std::string_view format, const Value::Array& items);

// One template applied to one value. kInvalidArgument names the position or the unknown field.
Result<std::string> render_template(std::string_view text, const Value& value);

}  // namespace shoal::cli
