# kconfig.cmake - REKEY_LIMITS from what was chosen by Kconfig (port/Kconfig): REKEY_X is the number CONFIG_REKEY_X.
set(REKEY_LIMITS)
get_cmake_property(names VARIABLES)
foreach(name IN LISTS names)
    if(name MATCHES "^CONFIG_REKEY_" AND "${${name}}" MATCHES "^[0-9]+$")
        string(REGEX REPLACE "^CONFIG_" "" macro ${name})
        list(APPEND REKEY_LIMITS ${macro}=${${name}})
    endif()
endforeach()
