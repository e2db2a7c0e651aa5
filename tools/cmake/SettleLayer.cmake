# What makes a layer: an object library that can include nothing but the layers below it.

# Options of every target of ours; never of a project that embeds us.
function(settle_target_options target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_EXTENSIONS ON C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-align
        -Wimplicit-fallthrough
        $<$<BOOL:${SETTLE_WERROR}>:-Werror>
        -UNDEBUG) # assertions are part of the product: on in release
endfunction()

# settle_view(<name> <entry>...) makes <build>/view/<name>, a folder of links that serves as an include path. An entry is a
# layer's folder (engine), one header of a layer (query/query.h), or a public header by its installed name
# (settle/settle.h).
function(settle_view name)
    set(public_event.h journal/event.h)
    set(public_settle.h engine/settle.h)
    set(view ${PROJECT_BINARY_DIR}/view/${name})
    file(REMOVE_RECURSE ${view}) # an entry that was dropped must not linger
    foreach(entry IN LISTS ARGN)
        set(from ${entry})
        if(entry MATCHES "^settle/(.*)$")
            set(from ${public_${CMAKE_MATCH_1}})
        endif()
        cmake_path(GET entry PARENT_PATH folder)
        file(MAKE_DIRECTORY ${view}/${folder})
        file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${from} ${view}/${entry} SYMBOLIC)
    endforeach()
endfunction()

# settle_layer(<name> DEPENDS <entry>... SOURCES <file>...): the folder <name> as the object library settle_<name>, whose
# include path is a view of itself and of DEPENDS.
function(settle_layer name)
    cmake_parse_arguments(PARSE_ARGV 1 layer "" "" "DEPENDS;SOURCES")
    settle_view(${name} ${name} ${layer_DEPENDS})
    add_library(settle_${name} OBJECT ${layer_SOURCES})
    settle_target_options(settle_${name})
    target_include_directories(settle_${name} PRIVATE ${PROJECT_BINARY_DIR}/view/${name})
endfunction()
