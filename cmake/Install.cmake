# Installs the engine: library, headers, and the package that find_package(kernelgan_fast) looks for.
#
# In a wheel all of it lies in the Python package, beside _native. A wheel cannot hold symbolic links,
# so only a plain install gives the library a version in its file name.
include(CMakePackageConfigHelpers)

if(KGF_BUILD_PYTHON)
  set(root kernelgan_fast/)
  set(library_dir kernelgan_fast)
  set(package_dir kernelgan_fast/share/cmake/kernelgan_fast)
else()
  include(GNUInstallDirs)
  set(root "")
  set(library_dir ${CMAKE_INSTALL_LIBDIR})
  set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kernelgan_fast)
  set_target_properties(kernelgan_fast PROPERTIES VERSION ${PROJECT_VERSION}
                                                  SOVERSION ${PROJECT_VERSION_MAJOR})
endif()

target_include_directories(kernelgan_fast INTERFACE $<INSTALL_INTERFACE:${root}include>)
install(TARGETS kernelgan_fast EXPORT kernelgan_fast LIBRARY DESTINATION ${library_dir}
        ARCHIVE DESTINATION ${library_dir} RUNTIME DESTINATION ${library_dir})
install(FILES ${PROJECT_SOURCE_DIR}/csrc/include/kernelgan_fast/engine.h
              ${PROJECT_SOURCE_DIR}/csrc/include/kernelgan_fast/engine.hpp
        DESTINATION ${root}include/kernelgan_fast)
install(EXPORT kernelgan_fast NAMESPACE kernelgan_fast:: DESTINATION ${package_dir}
        FILE kernelgan_fast-config.cmake)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/kernelgan_fast-config-version.cmake
                                 VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/kernelgan_fast-config-version.cmake
        DESTINATION ${package_dir})
