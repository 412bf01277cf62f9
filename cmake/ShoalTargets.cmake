# How every target of Shoal is declared.
#
#   shoal_library(base_types PURE SOURCES a.cc DEPS other_pure)   a [P] target
#   shoal_library(base_runtime SHELL SOURCES b.cc DEPS base_types Boost::headers)   a [S] target
#   shoal_test(base_types_test SOURCES a_test.cc DEPS base_types [LABELS netns] [ROOT])
#
# PURE targets may depend on PURE targets (and on libsodium and zstd, which compute without IO) only. That is
# checked here at configure time for what is declared and by the layer link test for what is used: every
# PURE archive is linked whole with an empty main against nothing but its declared PURE dependencies.
# Labels of tests: unit (default), style, netns (needs root and network namespaces), cluster (the lab).

set(SHOAL_PURE_EXTERNALS shoal_sodium shoal_zstd)
define_property(GLOBAL PROPERTY SHOAL_PURE_TARGETS BRIEF_DOCS "names of all PURE targets")

function(shoal_library name)
  cmake_parse_arguments(arg "PURE;SHELL" "" "SOURCES;DEPS" ${ARGN})
  if(arg_PURE EQUAL arg_SHELL)
    message(FATAL_ERROR "${name}: say PURE or SHELL")
  endif()
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} ${scope} ${arg_DEPS})
  if(arg_PURE)
    set_property(TARGET ${name} PROPERTY SHOAL_PURE TRUE)
    foreach(dep IN LISTS arg_DEPS)
      if(dep IN_LIST SHOAL_PURE_EXTERNALS)
        continue()
      endif()
      if(NOT TARGET ${dep})
        message(FATAL_ERROR "${name} is PURE and depends on ${dep}, which is not declared before it")
      endif()
      get_target_property(pure ${dep} SHOAL_PURE)
      if(NOT pure)
        message(FATAL_ERROR "${name} is PURE and may not depend on ${dep}, which is not")
      endif()
    endforeach()
    if(arg_SOURCES)
      set_property(GLOBAL APPEND PROPERTY SHOAL_PURE_TARGETS ${name})
    endif()
  endif()
endfunction()

function(shoal_executable name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
endfunction()

function(shoal_test name)
  cmake_parse_arguments(arg "ROOT" "TIMEOUT" "SOURCES;DEPS;LABELS;ARGS" ${ARGN})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE SHOAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
  if(arg_ROOT)
    set_property(TEST ${name} PROPERTY RESOURCE_LOCK kernel)
  endif()
endfunction()

# The link test of every PURE target; called once, after all targets are declared.
function(shoal_layer_link_tests)
  get_property(targets GLOBAL PROPERTY SHOAL_PURE_TARGETS)
  file(WRITE ${CMAKE_BINARY_DIR}/empty_main.cc "int main() {}\n")
  foreach(target IN LISTS targets)
    add_executable(layer_${target} EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/empty_main.cc)
    # --as-needed must not hide an undefined symbol: the whole archive is linked, and nothing else is offered.
    target_link_libraries(layer_${target} PRIVATE
      -Wl,--whole-archive $<TARGET_FILE:${target}> -Wl,--no-whole-archive
      $<TARGET_PROPERTY:${target},INTERFACE_LINK_LIBRARIES>)
    add_dependencies(layer_${target} ${target})
    list(APPEND layers layer_${target})
  endforeach()
  # What the C and C++ libraries offer to every program no link refuses: those symbols are looked for by name.
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  list(TRANSFORM targets REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE archives)
  add_custom_target(layer_link
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../tests/structure/symbols.py ${archives}
    VERBATIM)
  add_dependencies(layer_link ${layers} ${targets})
  add_test(NAME layer_link COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target layer_link)
  set_tests_properties(layer_link PROPERTIES LABELS style TIMEOUT 300 RESOURCE_LOCK build_tree)
endfunction()
