# kconfig.cmake - adds to REKEY_LIMITS what was chosen by Kconfig (port/Kconfig): REKEY_X is the number CONFIG_REKEY_X. The
# limits of the ports, as REKEY_TLS_SIZE, have no option: the application sets REKEY_LIMITS to those that it changes.
get_cmake_property(names VARIABLES)
foreach(name IN LISTS names)
    if(name MATCHES "^CONFIG_REKEY_" AND "${${name}}" MATCHES "^[0-9]+$")
        string(REGEX REPLACE "^CONFIG_" "" macro ${name})
        list(APPEND REKEY_LIMITS ${macro}=${${name}})
    endif()
endforeach()
