# kconfig.cmake - adds the limits of Kconfig (port/Kconfig) to REKEY_LIMITS: REKEY_X is the number CONFIG_REKEY_X. The
# limits of the ports, such as REKEY_TLS_SIZE, have no option: the application sets them in REKEY_LIMITS.
get_cmake_property(names VARIABLES)
foreach(name IN LISTS names)
    if(name MATCHES "^CONFIG_REKEY_" AND "${${name}}" MATCHES "^[0-9]+$")
        string(REGEX REPLACE "^CONFIG_" "" macro ${name})
        list(APPEND REKEY_LIMITS ${macro}=${${name}})
    endif()
endforeach()
