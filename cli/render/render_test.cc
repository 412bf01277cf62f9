#include "cli/render/render.h"

#include <gtest/gtest.h>

namespace shoal::cli {
namespace {

Value row(const char* id, const char* name) {
  return Value::object({{"ID", id},
                        {"Name", name},
                        {"Attachable", true},
                        {"IPAM", Value::object({{"Driver", "default"}})},
                        {"Labels", Value::array({"a", "b"})}});
}

const Value::Array kRows = {row("abc", "shop"), row("defghi", "x")};
const std::vector<Column> kColumns = {{"ID", "{{.ID}}"}, {"NAME", "{{.Name}}"}};

TEST(Value, Json) {
  Value value;
  value.set("text", "quote\" back\\ tab\t bell\a nul");
  value.set("utf8", "h\xc3\xb6st");
  value.set("bad", std::string("\xff\xed\xa0\x80x"));
  value.set("number", int64_t{-5});
  value.set("big", ~uint64_t{0});
  value.set("none", Value());
  value.set("empty", Value::array());
  EXPECT_EQ(value.json(),
            "{\"text\":\"quote\\\" back\\\\ tab\\t bell\\u0007 nul\",\"utf8\":\"h\xc3\xb6st\","
            "\"bad\":\"\\ufffd\\ufffd\\ufffd\\ufffdx\",\"number\":-5,\"big\":18446744073709551615,"
            "\"none\":null,\"empty\":[]}");
  EXPECT_EQ(Value::object({{"a", Value::array({1, 2})}}).json(2),
            "{\n  \"a\": [\n    1,\n    2\n  ]\n}");
}

TEST(Render, TableIsAligned) {
  EXPECT_EQ(*render_table(kColumns, kRows), "ID       NAME\nabc      shop\ndefghi   x\n");
  EXPECT_EQ(*render_table(kColumns, {}), "ID   NAME\n");
}

TEST(Render, Formats) {
  EXPECT_EQ(*render_list("{{.Name}}={{ .ID }}", kColumns, kRows), "shop=abc\nx=defghi\n");
  EXPECT_EQ(*render_list("{{.Name}}\\t{{.IPAM.Driver}}", kColumns, {kRows[0]}), "shop\tdefault\n");
  EXPECT_EQ(*render_list("{{json .Labels}} {{.Attachable}}", kColumns, {kRows[0]}),
            "[\"a\",\"b\"] true\n");
  EXPECT_EQ(*render_list("json", kColumns, {Value::object({{"ID", "abc"}})}), "{\"ID\":\"abc\"}\n");
  EXPECT_EQ(*render_list("table {{.Name}}\\t{{.ID}}", kColumns, {kRows[0]}),
            "NAME   ID\nshop   abc\n");
}

TEST(Render, SaysWhatIsWrong) {
  EXPECT_NE(render_list("{{.Nmae}}", kColumns, kRows).error().message.find("ID, Name, Attachable"),
            std::string::npos);
  EXPECT_FALSE(render_list("{{.Name", kColumns, kRows).ok());
  EXPECT_FALSE(render_list("{{range .}}", kColumns, kRows).ok());
}

}  // namespace
}  // namespace shoal::cli
