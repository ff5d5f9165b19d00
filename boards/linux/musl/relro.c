// relro.c - makes read-only what the linker set apart for that (PT_GNU_RELRO): tables of addresses
// that are complete once the command has begun. The dynamic linker does it for dynamic programs;
// in a static one of musl nobody does.

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

extern const char __ehdr_start[]; // by the linker: where the program lies in memory

// A kernel, or a filter of system calls, that refuses this leaves them as they were: the command
// works without it.
__attribute__((constructor)) static void protect(void) {
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    const size_t count = getauxval(AT_PHNUM), page = getauxval(AT_PAGESZ);

    for (size_t i = 0; i < count; i++) {
        if (headers[i].p_type == PT_GNU_RELRO) {
            uintptr_t begin = (uintptr_t)__ehdr_start + headers[i].p_vaddr;
            uintptr_t end = (begin + headers[i].p_memsz) & ~(page - 1);

            begin &= ~(page - 1);
            (void)mprotect((void *)begin, end - begin, PROT_READ);
        }
    }
}
