# The version is written once, in pyproject.toml. Sets KGF_VERSION (as written there) and
# KGF_VERSION_NUMBERS (without a suffix such as .dev1, which project() refuses).

set(pyproject ${CMAKE_CURRENT_SOURCE_DIR}/pyproject.toml)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${pyproject})

file(STRINGS ${pyproject} version_line REGEX "^version = \"" LIMIT_COUNT 1)
if(NOT version_line MATCHES "^version = \"(([0-9]+\\.[0-9]+\\.[0-9]+)[^\"]*)\"$")
  message(FATAL_ERROR "pyproject.toml must hold a line: version = \"1.2.3\"")
endif()
set(KGF_VERSION ${CMAKE_MATCH_1})
set(KGF_VERSION_NUMBERS ${CMAKE_MATCH_2})
