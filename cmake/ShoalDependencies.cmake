# Libraries, all from Debian packages (deploy/packages). gRPC and what it needs are linked statically:
# the command line starts in half the time, and the daemon maps fewer pages.
find_package(Boost 1.81 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(GTest REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(RocksDB REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(benchmark REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(NL REQUIRED IMPORTED_TARGET libnl-3.0 libnl-route-3.0)
pkg_check_modules(NFTABLES REQUIRED IMPORTED_TARGET libnftables)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
find_program(SHOAL_PROTOC protoc REQUIRED)
find_program(SHOAL_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)

# One target for gRPC + Protobuf, from the static archives that pkg-config names. An executable with the property
# SHOAL_PLAIN_GRPC gets gRPC without TLS: for the command line, which speaks to a unix socket only, loading and
# setting up OpenSSL is half of its start.
execute_process(COMMAND pkg-config --static --libs-only-l grpc++ protobuf
                OUTPUT_VARIABLE grpc_flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(grpc_flags)
list(REMOVE_DUPLICATES grpc_flags)
list(REMOVE_ITEM grpc_flags -ldl -lssl -lcrypto -lsystemd -latomic -lpthread -lm -lrt)
list(TRANSFORM grpc_flags REPLACE "^(-lgrpc|-lgrpc\\+\\+)$" "\\1_unsecure" OUTPUT_VARIABLE plain_flags)
add_library(shoal_grpc INTERFACE)
set(plain $<BOOL:$<TARGET_PROPERTY:SHOAL_PLAIN_GRPC>>)
target_link_libraries(shoal_grpc INTERFACE
  "-Wl,-Bstatic" "-Wl,--start-group" "$<IF:${plain},${plain_flags},${grpc_flags}>" "-Wl,--end-group"
  "-Wl,-Bdynamic" "$<$<NOT:${plain}>:OpenSSL::SSL;OpenSSL::Crypto>" Threads::Threads ${CMAKE_DL_LIBS})
add_library(shoal_sodium INTERFACE)
target_link_libraries(shoal_sodium INTERFACE PkgConfig::SODIUM)
add_library(shoal_zstd INTERFACE)
target_link_libraries(shoal_zstd INTERFACE PkgConfig::ZSTD)
add_library(shoal_rapidcheck INTERFACE)
target_link_libraries(shoal_rapidcheck INTERFACE rapidcheck)
