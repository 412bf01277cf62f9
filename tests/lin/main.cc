// lincheck FILE...: whether the history in these files, together one, is linearizable.
//
// Exit codes: 0 it is; 1 it is not: key, longest order and what does not fit are printed; 2 the
// input cannot be judged: a file cannot be read, holds no history, or has too many ways to order.
#include <cstdio>
#include <fstream>

#include "tests/lin/history_file.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FILE...\n", argv[0]);
    return 2;
  }
  shoal::lin::History history;
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i]);
    if (!file) {
      std::fprintf(stderr, "lincheck: cannot read %s\n", argv[i]);
      return 2;
    }
    const shoal::Status read = shoal::lin::read_history(file, history);
    if (!read || file.bad()) {
      std::fprintf(stderr, "lincheck: %s: %s\n", argv[i],
                   read ? "cannot be read to its end" : read.error().message.c_str());
      return 2;
    }
  }
  if (history.empty()) {
    std::fprintf(stderr, "lincheck: no operation in these files: nothing to judge\n");
    return 2;
  }
  const shoal::lin::Verdict verdict = shoal::lin::check(history);
  std::fputs(shoal::lin::explain(history, verdict).c_str(), stdout);
  switch (verdict.judgement) {
    case shoal::lin::Judgement::kLinearizable:
      return 0;
    case shoal::lin::Judgement::kNotLinearizable:
      return 1;
    case shoal::lin::Judgement::kUndecided:
      return 2;
  }
  return 2;
}
