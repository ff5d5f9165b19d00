// relro.c - makes the segment read-only that the linker marks for that (PT_GNU_RELRO): tables of
// addresses that are complete when the command has started. The dynamic linker does this for
// dynamic programs; in a static program with musl, nothing else does.

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

extern const char __ehdr_start[]; // defined by the linker: the program's start in memory

// If a kernel, or a filter of system calls, refuses this, the tables stay writable: the command
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
