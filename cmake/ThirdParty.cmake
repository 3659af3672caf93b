# Libraries we did not write: Debian's packages, linked static, and two source packages that `./dev deps` unpacks under
# third_party/ (not committed) after checking their SHA-256.
set(FIRN_THIRD_PARTY ${CMAKE_SOURCE_DIR}/third_party)
if(NOT EXISTS ${FIRN_THIRD_PARTY}/croaring OR NOT EXISTS ${FIRN_THIRD_PARTY}/simdjson)
  message(FATAL_ERROR "third_party/ is incomplete: run `./dev deps` first")
endif()

find_package(Boost 1.81 REQUIRED)
add_library(boost_asio INTERFACE)
target_include_directories(boost_asio SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_compile_definitions(boost_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_USE_STD_STRING_VIEW)
# The thread sanitizer does not understand fences; the locks around Asio's queues order the same things.
if(FIRN_SANITIZE STREQUAL "thread")
  target_compile_definitions(boost_asio INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()

function(firn_static_library TARGET)
  add_library(${TARGET} INTERFACE)
  foreach(archive ${ARGN})
    find_library(${TARGET}_${archive} NAMES lib${archive}.a REQUIRED)
    target_link_libraries(${TARGET} INTERFACE ${${TARGET}_${archive}})
  endforeach()
endfunction()

firn_static_library(openssl_static ssl crypto)
target_link_libraries(openssl_static INTERFACE dl)
firn_static_library(zstd_static zstd)
firn_static_library(lz4_static lz4)
firn_static_library(zlib_static z)
# CRoaring: the amalgamated source that pyroaring carries; Debian packages only the shared library.
add_library(roaring_static STATIC ${FIRN_THIRD_PARTY}/croaring/roaring.c)
target_include_directories(roaring_static SYSTEM PUBLIC ${FIRN_THIRD_PARTY}/croaring)
target_compile_options(roaring_static PRIVATE -w -O2)
firn_static_library(re2_static re2)
firn_static_library(protobuf_lite_static protobuf-lite)

# Header-only, in the system include path.
add_library(cli11 INTERFACE)
add_library(tomlplusplus INTERFACE)

if(FIRN_TESTS)
  find_package(GTest REQUIRED)
endif()

# simdjson: one amalgamated source.
add_library(simdjson STATIC ${FIRN_THIRD_PARTY}/simdjson/simdjson.cpp)
target_include_directories(simdjson SYSTEM PUBLIC ${FIRN_THIRD_PARTY}/simdjson)
target_compile_options(simdjson PRIVATE -w -O2)
target_compile_definitions(simdjson PUBLIC SIMDJSON_EXCEPTIONS=0)

# Lance's messages: our own .proto files with Lance's field numbers, generated at build time.
find_program(PROTOC protoc REQUIRED)
function(firn_proto TARGET FOLDER)
  file(GLOB protos CONFIGURE_DEPENDS ${FOLDER}/*.proto)
  set(out ${CMAKE_BINARY_DIR}/proto)
  file(MAKE_DIRECTORY ${out})
  set(generated)
  foreach(proto ${protos})
    get_filename_component(stem ${proto} NAME_WE)
    add_custom_command(OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
      COMMAND ${PROTOC} -I${FOLDER} --cpp_out=lite:${out} ${proto} DEPENDS ${proto})
    list(APPEND generated ${out}/${stem}.pb.cc)
  endforeach()
  if(generated)
    add_library(${TARGET} STATIC ${generated})
    target_include_directories(${TARGET} SYSTEM PUBLIC ${out})
    target_compile_options(${TARGET} PRIVATE -w)
    target_link_libraries(${TARGET} PUBLIC protobuf_lite_static)
  else()
    add_library(${TARGET} INTERFACE)
  endif()
endfunction()
firn_proto(lance_proto ${CMAKE_SOURCE_DIR}/src/lance/proto)
