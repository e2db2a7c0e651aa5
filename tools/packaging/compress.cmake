# Run by CPack when the components' files lie ready: manual pages and changelogs are compressed as Debian has them,
# without a time in them, so that the same sources give the same packages.
file(GLOB_RECURSE files LIST_DIRECTORIES OFF ${CPACK_TEMPORARY_DIRECTORY}/*)
set(count 0)
foreach(file IN LISTS files)
    if(file MATCHES "/share/(man/man[1-9]/|doc/[^/]+/changelog)[^/]*$" AND NOT file MATCHES "[.]gz$")
        execute_process(COMMAND gzip -9 -n ${file} COMMAND_ERROR_IS_FATAL ANY)
        math(EXPR count "${count} + 1")
    endif()
endforeach()
if(count EQUAL 0)
    message(FATAL_ERROR "nothing to compress below ${CPACK_TEMPORARY_DIRECTORY}: the rule above is wrong")
endif()
