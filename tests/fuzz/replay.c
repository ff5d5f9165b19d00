// replay.c - runs a fuzz entry over the files given as arguments, without clang's runtime. Each
// input lies in a block of exactly its size, so that the sanitizers notice a read beyond it.

#include "fuzz.h"

static void run(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *block;
    long size;

    MUST(file != NULL);
    MUST(fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0);
    rewind(file);
    block = malloc((size_t)size);
    MUST(size == 0 || block != NULL);
    MUST(fread(block, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    fprintf(stderr, "%s\n", path); // the file that an abort belongs to is the last one printed
    LLVMFuzzerTestOneInput(block, (size_t)size);
    free(block);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        run(argv[i]);
    }
    printf("%s: %d inputs\n", argv[0], argc - 1);
    return argc > 1 ? 0 : 1;
}
