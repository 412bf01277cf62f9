# Compiler launcher, linker, warnings and build types.
find_program(SHOAL_CCACHE ccache)
if(SHOAL_CCACHE)
  # Relative paths and no directory in the hash: checkouts side by side share one cache.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${SHOAL_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
find_program(SHOAL_MOLD mold)
if(SHOAL_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Dev: quick to compile, debuggable, every check on. Release: what is measured and shipped.
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_DEV "-O1 -g1" CACHE STRING "" FORCE)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1" CACHE STRING "" FORCE)

add_compile_options(-Wall -Wextra -Werror -Wno-maybe-uninitialized -Wno-missing-field-initializers)
add_link_options(-Wl,--as-needed)
set(SHOAL_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize takes them")
if(SHOAL_SANITIZE)
  add_compile_options(-fsanitize=${SHOAL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SHOAL_SANITIZE})
  if(SHOAL_SANITIZE MATCHES "thread")
    # ThreadSanitizer does not know fences, and gcc says so; Asio's locks, which it knows, do without.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
