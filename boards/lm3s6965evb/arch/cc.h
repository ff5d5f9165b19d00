// cc.h - the properties of the compiler and the platform that lwIP needs.

#ifndef REKEY_ARCH_CC_H
#define REKEY_ARCH_CC_H

#include <stdint.h>

uint32_t board_random(void);
#define LWIP_RAND() board_random()

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x)

#endif
