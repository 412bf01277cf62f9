#include "vxlan/filter/filter.h"

#include <nftables/libnftables.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "vxlan/filter/render.h"

namespace shoal::vxlan {
namespace {

struct FreeContext {
  void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};
using Context = std::unique_ptr<nft_ctx, FreeContext>;

// libnftables waits with select(), which ends the process at descriptors from 1024 on: a host with
// hundreds of endpoints has them. This thread, which run_in_namespace() made, gets a table of its
// own, empty but for the standard ones; the process's stays as it is.
Status leave_descriptors_behind() {
  constexpr unsigned kFirst = 3;
  if (unshare(CLONE_FILES) == 0 && close_range(kFirst, ~0U, 0) == 0) return ok_status();
  return internal_error(std::string("cannot make room for nftables' descriptors: ") +
                        std::strerror(errno));
}

constexpr const char* kRedirection = "the DNS redirection";
constexpr const char* kHostRules = "the rules of this host";
constexpr unsigned kWhole = NFT_CTX_OUTPUT_NUMERIC_ALL;
constexpr unsigned kWithoutElements = NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_TERSE;

std::string dns_table() { return "ip " + std::string(kDnsTable); }
std::string host_table() { return "inet " + std::string(kHostTable); }
std::string ports_table() { return "inet " + std::string(kPortsTable); }
std::string user_table() { return "inet " + std::string(kUserTable); }

// A context's socket belongs to the namespace of the thread that makes it.
Result<Context> make_context() {
  SHOAL_TRY(leave_descriptors_behind());
  Context context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (context == nullptr) return unimplemented("cannot open nftables: does the kernel have it?");
  nft_ctx_buffer_output(context.get());
  nft_ctx_buffer_error(context.get());
  nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_NUMERIC_ALL);
  return context;
}

Status run_script(nft_ctx* context, const std::string& script, const std::string& what) {
  if (nft_run_cmd_from_buffer(context, script.c_str()) == 0) return ok_status();
  std::string said = nft_ctx_get_error_buffer(context);
  // nft repeats the script below the message; the first line says it.
  said.resize(said.find('\n') == std::string::npos ? said.size() : said.find('\n'));
  return unimplemented("nftables refused " + what + ": " + said);
}

// Empty when there is no such table.
std::string list_table(nft_ctx* context, const std::string& table) {
  const std::string command = "list table " + table;
  if (nft_run_cmd_from_buffer(context, command.c_str()) != 0) {
    nft_ctx_get_error_buffer(context);  // reading it empties it
    return {};
  }
  return nft_ctx_get_output_buffer(context);
}

Result<std::string> replace_table(const NamespaceFd& host, const std::string& table,
                                  const std::string& script, unsigned output) {
  std::string listed;
  SHOAL_TRY(run_in_namespace(host, [&]() -> Status {
    const Context context = SHOAL_TRY(make_context());
    nft_ctx_output_set_flags(context.get(), output);
    SHOAL_TRY(run_script(context.get(), script, kHostRules));
    listed = list_table(context.get(), table);
    return ok_status();
  }));
  return listed;
}

Result<std::string> list_table_in(const NamespaceFd& host, const std::string& table,
                                  unsigned output) {
  std::string listed;
  SHOAL_TRY(run_in_namespace(host, [&]() -> Status {
    const Context context = SHOAL_TRY(make_context());
    nft_ctx_output_set_flags(context.get(), output);
    listed = list_table(context.get(), table);
    return ok_status();
  }));
  return listed;
}

}  // namespace

Result<bool> apply_dns_redirect(const NamespaceFd& space, uint16_t port) {
  bool changed = false;
  SHOAL_TRY(run_in_namespace(space, [&]() -> Status {
    const Context context = SHOAL_TRY(make_context());
    const std::string listed = list_table(context.get(), dns_table());
    if (shows_dns_redirect(listed, port)) return ok_status();
    changed = true;
    // A removal makes the kernel wait, ten milliseconds and more, for all that may use what goes.
    return run_script(context.get(),
                      listed.empty() ? render_dns_table(port) : render_dns_redirect(port),
                      kRedirection);
  }));
  return changed;
}

Status remove_dns_redirect(const NamespaceFd& space) {
  return run_in_namespace(space, []() -> Status {
    const Context context = SHOAL_TRY(make_context());
    if (list_table(context.get(), dns_table()).empty()) return ok_status();
    return run_script(context.get(), render_dns_removal(), kRedirection);
  });
}

Result<std::string> replace_host_table(const NamespaceFd& host, const HostTable& table) {
  return replace_table(host, host_table(), render_host_table(table), kWhole);
}

Result<std::string> list_host_table(const NamespaceFd& host) {
  return list_table_in(host, host_table(), kWhole);
}

Result<std::string> replace_ports_table(const NamespaceFd& host,
                                        std::span<const PortForward> forwards) {
  return replace_table(host, ports_table(), render_ports_table(forwards), kWithoutElements);
}

Result<std::string> list_ports_table(const NamespaceFd& host) {
  return list_table_in(host, ports_table(), kWithoutElements);
}

Status keep_user_table(const NamespaceFd& host, bool wanted) {
  return run_in_namespace(host, [&]() -> Status {
    const Context context = SHOAL_TRY(make_context());
    const std::string listed = list_table(context.get(), user_table());
    if (wanted && listed.empty()) {
      return run_script(context.get(), render_user_table(), kHostRules);
    }
    if (!wanted && is_untouched_user_table(listed)) {
      return run_script(context.get(), render_user_removal(), kHostRules);
    }
    return ok_status();
  });
}

}  // namespace shoal::vxlan
