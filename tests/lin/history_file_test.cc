#include "tests/lin/history_file.h"

#include <gtest/gtest.h>

#include <sstream>

namespace shoal::lin {
namespace {

std::string why_not(std::string_view line) {
  const auto parsed = parse_operation(line);
  return parsed ? "fine" : parsed.error().message;
}

TEST(LinHistoryFile, ReadsALine) {
  const auto op =
      parse_operation(R"({"client":7,"op":"cas","key":"k","expect":"a","in":"b","out":null,)"
                      R"("call":123,"return":456,"ok":false,"host":"h1"})");
  ASSERT_TRUE(op) << op.error().message;
  EXPECT_EQ(to_string(*op), "client 7 cas k \"a\" -> \"b\" = refused [123, 456]");
}

TEST(LinHistoryFile, WhatItWritesItReads) {
  for (const char* line : {R"({"client":1,"op":"read","key":"k\"","in":null,"out":"v\n",)"
                           R"("call":5,"return":9,"ok":true})",
                           R"({"client":0,"op":"remove","key":"","in":null,"out":null,)"
                           R"("call":-5,"return":null,"ok":true})",
                           R"({"client":2,"op":"cas","key":"k","in":"b","out":null,"expect":null,)"
                           R"("call":1,"return":2,"ok":false})"}) {
    const auto op = parse_operation(line);
    ASSERT_TRUE(op) << op.error().message;
    EXPECT_EQ(format_operation(*op), line);
  }
}

TEST(LinHistoryFile, AnUnknownOutcomeNeedsNoAnswer) {
  const auto op = parse_operation(R"({"op":"write","key":"k","in":"a","call":1,"return":null})");
  ASSERT_TRUE(op) << op.error().message;
  EXPECT_FALSE(op->given);
}

TEST(LinHistoryFile, RefusesWhatItCannotJudge) {
  EXPECT_NE(why_not("{").find("no JSON"), std::string::npos);
  EXPECT_EQ(why_not("[]"), "no JSON object");
  EXPECT_EQ(why_not(R"({"key":"k"})"), "\"op\" is missing");
  EXPECT_NE(why_not(R"({"op":"put","key":"k"})").find("\"put\""), std::string::npos);
  EXPECT_EQ(why_not(R"({"op":"read","call":1})"), "\"key\" is not there");
  EXPECT_EQ(why_not(R"({"op":"read","key":1,"call":1})"), "\"key\" is not a string or null");
  EXPECT_EQ(why_not(R"({"op":"read","key":"k"})"), "\"call\" is not a whole number");
  EXPECT_EQ(why_not(R"({"op":"read","key":"k","call":1.5})"), "\"call\" is not a whole number");
  EXPECT_EQ(why_not(R"({"op":"read","key":"k","call":5,"return":4,"ok":true})"),
            "\"return\" is before \"call\"");
  EXPECT_EQ(why_not(R"({"op":"read","key":"k","call":5,"return":6})"),
            "\"ok\" is not true or false");
  EXPECT_EQ(why_not(R"({"op":"read","key":"k","out":5,"call":5})"),
            "\"out\" is not a string or null");
  EXPECT_NE(why_not(R"({"op":"create","key":"k","call":5})").find("\"in\""), std::string::npos);
}

TEST(LinHistoryFile, NamesTheLine) {
  std::istringstream in("{\"op\":\"read\",\"key\":\"k\",\"call\":1}\n\nnonsense\n");
  History history;
  const Status status = read_history(in, history);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message.substr(0, 7), "line 3:");
}

}  // namespace
}  // namespace shoal::lin
