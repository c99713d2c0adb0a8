# Warnings, sanitizers, and the two kinds of target in this tree: a library per folder, a test program per test folder.

add_library(troupe_options INTERFACE)
target_include_directories(troupe_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(troupe_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual -Werror=return-type -Wno-missing-field-initializers>)
# Batch invariance needs the order of arithmetic that is written: no contraction that depends on inlining.
target_compile_options(troupe_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
if(TROUPE_ASAN)
  # null: CAF 0.17 binds null references in init_fun_factory.hpp.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=address,undefined> $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=null>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>)
  add_link_options(-fsanitize=address,undefined)
endif()
if(TROUPE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

# troupe_library(NAME [SUBFOLDERS a b] [FUZZ x.cpp...] LINK lib...): all *.cpp of this folder and the named subfolders. With TROUPE_FUZZ those
# behind FUZZ alone, if there are any: what test/fuzz runs through, so that this build takes minutes.
function(troupe_library name)
  cmake_parse_arguments(arg "" "" "SUBFOLDERS;FUZZ;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(folder IN LISTS arg_SUBFOLDERS)
    file(GLOB more CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
    list(APPEND sources ${more})
  endforeach()
  if(TROUPE_FUZZ AND arg_FUZZ)
    set(sources ${arg_FUZZ})
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC troupe_options ${arg_LINK})
endfunction()

# troupe_test(NAME LINK lib...): all *.cpp of this folder in one doctest program, each test case known to ctest.
function(troupe_test name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE troupe_doctest_main ${arg_LINK})
  doctest_discover_tests(${name} TEST_PREFIX "${name}: "
    PROPERTIES TIMEOUT 300 ENVIRONMENT "TROUPE_SHARED=${TROUPE_SHARED}"
               ENVIRONMENT_MODIFICATION "TROUPE_SOURCE=set:${PROJECT_SOURCE_DIR}")
endfunction()
