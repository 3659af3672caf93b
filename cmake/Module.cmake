# firn_module(NAME [DEPS modules...] [LIBS libraries...] [PRIVATE_LIBS libraries...])
#
# One folder under src/ is one target. A module sees the headers of exactly the modules it links: each module's headers are
# reached through a folder of its own (build/include/NAME/NAME -> src/NAME), so an #include against the arrows does not compile.
# *_test.cc beside the sources become firn_NAME_test.
function(firn_module NAME)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS;PRIVATE_LIBS" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${NAME})
  set(view ${CMAKE_SOURCE_DIR}/build/include/${NAME})
  file(MAKE_DIRECTORY ${view})
  if(NOT EXISTS ${view}/${NAME})
    file(CREATE_LINK ${folder} ${view}/${NAME} SYMBOLIC)
  endif()

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_testing|/main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "(_test|_testing)\\.cc$")

  list(TRANSFORM ARG_DEPS PREPEND firn_)
  if(sources)
    add_library(firn_${NAME} STATIC ${sources})
    target_include_directories(firn_${NAME} PUBLIC ${view})
    target_link_libraries(firn_${NAME} PUBLIC ${ARG_DEPS} ${ARG_LIBS} PRIVATE ${ARG_PRIVATE_LIBS} firn_warnings)
  else()
    add_library(firn_${NAME} INTERFACE)
    target_include_directories(firn_${NAME} INTERFACE ${view})
    target_link_libraries(firn_${NAME} INTERFACE ${ARG_DEPS} ${ARG_LIBS} ${ARG_PRIVATE_LIBS})
  endif()

  if(FIRN_TESTS AND tests)
    add_executable(firn_${NAME}_test ${tests})
    target_link_libraries(firn_${NAME}_test PRIVATE firn_${NAME} ${ARG_PRIVATE_LIBS} firn_warnings GTest::gmock GTest::gtest_main)
    target_compile_definitions(firn_${NAME}_test PRIVATE FIRN_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${NAME} COMMAND firn_${NAME}_test)
  endif()
endfunction()
