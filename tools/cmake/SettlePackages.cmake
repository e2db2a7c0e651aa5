# Debian packages: libsettle0 (lib), libsettle-dev (dev), settle-tools (tools). tools/package makes them.

set(SETTLE_PACKAGE_MAINTAINER "libsettle maintainers <maintainers@libsettle.org>" CACHE STRING
    "Who answers for packages made here: name <address>")
set(SETTLE_PACKAGE_RELEASE 1 CACHE STRING "Counts packages of one version")

set(settle_package_lib libsettle0)
set(settle_package_dev libsettle-dev)
set(settle_package_tools settle-tools)
set(settle_package_version ${PROJECT_VERSION}-${SETTLE_PACKAGE_RELEASE})

# ---- What every package has: copyright and changelogs -----------------------------------------------------------------

string(TIMESTAMP settle_package_date "%a, %d %b %Y %H:%M:%S +0000" UTC) # heeds SOURCE_DATE_EPOCH
foreach(component IN ITEMS lib dev tools)
    set(package ${settle_package_${component}})
    set(folder ${PROJECT_BINARY_DIR}/packaging/${package})
    configure_file(tools/packaging/changelog.in ${folder}/changelog.Debian @ONLY)
    configure_file(CHANGELOG.md ${folder}/changelog COPYONLY)
    install(FILES tools/packaging/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
        COMPONENT ${component} EXCLUDE_FROM_ALL)
    install(FILES ${folder}/changelog ${folder}/changelog.Debian DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
        COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()
install(FILES docs/examples/embed.c DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libsettle-dev/examples
    COMPONENT dev EXCLUDE_FROM_ALL)

# ---- The packages -----------------------------------------------------------------------------------------------------

set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL lib dev tools)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGE_NAME settle)
set(CPACK_PACKAGE_VENDOR libsettle)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # else it would stand before each of those below
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/tools/packaging/compress.cmake)
# Directories as dpkg expects them, whatever the umask.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${SETTLE_PACKAGE_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_RELEASE ${SETTLE_PACKAGE_RELEASE})
set(CPACK_DEBIAN_PACKAGE_SOURCE settle)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_LIB_PACKAGE_NAME ${settle_package_lib})
set(CPACK_DEBIAN_LIB_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIB_PACKAGE_SHLIBDEPS ON)
# What others' packages that link with it depend on; a trigger in place of scripts that call ldconfig.
file(CONFIGURE OUTPUT packaging/shlibs CONTENT "libsettle 0 libsettle0 (>= @PROJECT_VERSION@)\n" @ONLY)
set(CPACK_DEBIAN_LIB_PACKAGE_CONTROL_EXTRA
    ${PROJECT_BINARY_DIR}/packaging/shlibs ${PROJECT_SOURCE_DIR}/tools/packaging/triggers)
set(CPACK_DEBIAN_LIB_DESCRIPTION
    "event-sourced settlement engine: shared library
libsettle applies deposits, withdrawals and trades exactly, journals every
step, and tells an outcome once it is on stable storage. The journal alone
rebuilds every balance.
.
This package has the shared library.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME ${settle_package_dev})
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    "libsettle0 (= ${settle_package_version}), liblmdb-dev, libzstd-dev, libssl-dev")
set(CPACK_DEBIAN_DEV_DESCRIPTION
    "event-sourced settlement engine: development files
libsettle applies deposits, withdrawals and trades exactly, journals every
step, and tells an outcome once it is on stable storage. The journal alone
rebuilds every balance.
.
This package has the headers, the static library, the CMake package
settle and the pkg-config file libsettle.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME ${settle_package_tools})
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SUGGESTS "jq, hledger")
set(CPACK_DEBIAN_TOOLS_DESCRIPTION
    "event-sourced settlement engine: command line
settlectl reads deposits, withdrawals and trades, applies them exactly,
journals every step, and answers: balances now and then, statements, the
life of an event, replay and verification from the journal alone.
.
This package has settlectl, its manual pages and shell completions.")

include(CPack)
