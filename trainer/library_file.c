/* library_file.c - see library_file.h. Source: System V ABI, chapters 4 and 5 (ELF). */
#include "trainer/library_file.h"

#include "base/file.h"
#include "base/scoped.h"

#include <elf.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The offset behind a piece of the file; UINT64_MAX if it is beyond 64 bits. */
static uint64_t end_of(uint64_t offset, uint64_t bytes) {
    return bytes <= UINT64_MAX - offset ? offset + bytes : UINT64_MAX;
}

static bool is_elf(const struct file_map *map, Elf64_Ehdr *out_header) {
    if (map->count < sizeof *out_header) {
        return false;
    }
    memcpy(out_header, map->bytes, sizeof *out_header);
    return memcmp(out_header->e_ident, ELFMAG, SELFMAG) == 0 &&
           out_header->e_ident[EI_CLASS] == ELFCLASS64 &&
           out_header->e_phentsize == sizeof(Elf64_Phdr);
}

/* Bytes of file that the headers ask for, as far as the file itself holds the headers. */
static uint64_t bytes_announced(const struct file_map *map) {
    Elf64_Ehdr header;
    if (!is_elf(map, &header)) {
        return 0;
    }
    uint64_t announced = end_of(header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr));
    if (announced > map->count) {
        return announced;
    }
    for (uint64_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, map->bytes + header.e_phoff + i * sizeof segment, sizeof segment);
        uint64_t end = end_of(segment.p_offset, segment.p_filesz);
        if (segment.p_type == PT_LOAD && end > announced) {
            announced = end;
        }
    }
    return announced;
}

enum err_code library_file_check(const char *path, const char *remedy, struct error *err) {
    if (!file_exists(path)) {
        return ERR_OK;
    }
    struct error reason = ERROR_INIT;
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    if (file_map_open(path, &map, &reason) != ERR_OK) {
        return err_set(err, ERR_UNAVAILABLE, "cannot load a library: %s: %s", reason.msg, remedy);
    }
    uint64_t announced = bytes_announced(&map);
    if (announced > map.count) {
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot load %s: cut short, %zu bytes of at least %" PRIu64 ": %s", path,
                       map.count, announced, remedy);
    }
    return ERR_OK;
}
