/* file.c - see file.h.
 *
 * The mutable globals are the test hook; it is per process because the code under test passes no
 * context down here.
 */
#include "base/file.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES_MIN ((size_t)16 * 1024)

static atomic_int_fast64_t fail_countdown; /* 0: hook off; reaches 0 on the call that fails */
static atomic_int fail_errnum;
static atomic_bool fail_reached;

void file_fail_nth(int64_t n, int errnum) {
    atomic_store(&fail_reached, false);
    atomic_store(&fail_errnum, errnum);
    atomic_store(&fail_countdown, n);
}

bool file_fail_reached(void) {
    return atomic_load(&fail_reached);
}

/* True, with errno set, for the one call that the test has chosen. */
static bool should_fail(void) {
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) <= 0 ||
        atomic_fetch_sub(&fail_countdown, 1) != 1) {
        return false;
    }
    atomic_store(&fail_reached, true);
    errno = atomic_load(&fail_errnum);
    return true;
}

/* --- descriptors --- */

enum err_code file_open(const char *path, int flags, int *out_fd, struct error *err) {
    int fd = should_fail() ? -1 : open(path, flags | O_CLOEXEC, 0666);
    if (fd < 0) {
        bool creates = (flags & O_CREAT) != 0;
        return err_set_errno(err, errno, "cannot %s '%s'", creates ? "create" : "open", path);
    }
    *out_fd = fd;
    return ERR_OK;
}

enum err_code file_read(int fd, const char *path, void *bytes, size_t count, size_t *out_count,
                        struct error *err) {
    ssize_t got = -1;
    do {
        got = should_fail() ? -1 : read(fd, bytes, count);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_set_errno(err, errno, "cannot read '%s'", path);
    }
    *out_count = (size_t)got;
    return ERR_OK;
}

/* One write(2); the chosen call leaves half of the bytes behind. */
static ssize_t write_some(int fd, const char *bytes, size_t count) {
    if (!should_fail()) {
        return write(fd, bytes, count);
    }
    int errnum = errno;
    if (write(fd, bytes, count / 2) < 0) {
        return -1;
    }
    errno = errnum;
    return -1;
}

enum err_code file_write(int fd, const char *path, const void *bytes, size_t count,
                         struct error *err) {
    const char *next = bytes;
    while (count > 0) {
        ssize_t written = write_some(fd, next, count);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return err_set_errno(err, errno, "cannot write '%s'", path);
        }
        next += written;
        count -= (size_t)written;
    }
    return ERR_OK;
}

enum err_code file_resize(int fd, const char *path, int64_t bytes, struct error *err) {
    if (should_fail() || ftruncate(fd, bytes) != 0) {
        return err_set_errno(err, errno, "cannot resize '%s'", path);
    }
    return ERR_OK;
}

/* 0, or an errno value. */
static int sync_descriptor(int fd) {
    return should_fail() || fsync(fd) != 0 ? errno : 0;
}

static enum err_code sync_failed(int errnum, const char *path, struct error *err) {
    return err_set_errno(err, errnum, "cannot flush '%s' to the disk", path);
}

enum err_code file_sync(int fd, const char *path, struct error *err) {
    int errnum = sync_descriptor(fd);
    return errnum == 0 ? ERR_OK : sync_failed(errnum, path, err);
}

/* The folder part of `path`, "." without one; owned, NULL when memory is gone. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return mem_strdup(".");
    }
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

enum err_code file_sync_folder_of(const char *path, struct error *err) {
    SCOPED(mem) char *folder = folder_of(path);
    if (!folder) {
        return err_oom(err, "a folder name");
    }
    SCOPED(file_fd) int fd = -1;
    TRY(file_open(folder, O_RDONLY | O_DIRECTORY, &fd, err));
    int errnum = sync_descriptor(fd);
    /* Some file systems cannot sync a folder, and need not. */
    return errnum == 0 || errnum == EINVAL ? ERR_OK : sync_failed(errnum, folder, err);
}

enum err_code file_rename(const char *from, const char *to, struct error *err) {
    if (should_fail() || rename(from, to) != 0) {
        return err_set_errno(err, errno, "cannot rename '%s' to '%s'", from, to);
    }
    return ERR_OK;
}

enum err_code file_close(int *fd, const char *path, struct error *err) {
    if (*fd < 0) {
        return ERR_OK;
    }
    int errnum = should_fail() ? errno : 0;
    /* After EINTR Linux has closed the descriptor all the same. */
    if (close(*fd) != 0 && errno != EINTR && errnum == 0) {
        errnum = errno;
    }
    *fd = -1;
    return errnum == 0 ? ERR_OK : err_set_errno(err, errnum, "cannot close '%s'", path);
}

void file_fd_scoped_end(int *fd) {
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* --- whole files --- */

struct read_buffer {
    char *bytes;
    size_t used, capacity;
};

static void read_buffer_scoped_end(struct read_buffer *buffer) {
    mem_free(buffer->bytes);
}

static enum err_code read_buffer_reserve(struct read_buffer *buffer, size_t capacity,
                                         const char *path, struct error *err) {
    char *grown = mem_array_resize(buffer->bytes, capacity, 1);
    if (!grown) {
        return err_set(err, ERR_OOM, "out of memory for %zu bytes of '%s'", capacity, path);
    }
    buffer->bytes = grown;
    buffer->capacity = capacity;
    return ERR_OK;
}

static enum err_code too_large(const char *path, int64_t bytes, size_t bytes_max,
                               struct error *err) {
    return err_set(err, ERR_LIMIT, "'%s' has %lld bytes or more, limit %zu", path, (long long)bytes,
                   bytes_max);
}

/* A first guess at the capacity, and a refusal before reading what is announced as too large. */
static enum err_code first_capacity(int fd, const char *path, size_t bytes_max, size_t *out,
                                    struct error *err) {
    struct stat info = {0};
    if (fstat(fd, &info) != 0) {
        return err_set_errno(err, errno, "cannot read '%s'", path);
    }
    uint64_t announced = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    if (announced > bytes_max) {
        return too_large(path, (int64_t)announced, bytes_max, err);
    }
    /* One byte for the NUL, one that lets the last read see the end. */
    *out = announced > 0 ? (size_t)announced + 2 : READ_BYTES_MIN;
    return ERR_OK;
}

/* Reads to the end; the buffer keeps a byte free for the NUL. */
static enum err_code read_to_end(int fd, const char *path, size_t bytes_max,
                                 struct read_buffer *buffer, struct error *err) {
    for (;;) {
        if (buffer->used + 1 >= buffer->capacity) {
            size_t capacity = mem_grown_capacity(buffer->capacity, buffer->used + 2);
            TRY(read_buffer_reserve(buffer, capacity, path, err));
        }
        size_t got = 0;
        TRY(file_read(fd, path, buffer->bytes + buffer->used, buffer->capacity - buffer->used - 1,
                      &got, err));
        if (got == 0) {
            return ERR_OK;
        }
        buffer->used += got;
        if (buffer->used > bytes_max) {
            return too_large(path, (int64_t)buffer->used, bytes_max, err);
        }
    }
}

/* Opened so that a named pipe without a writer is empty and not waited for; read so that a writer,
 * as of `<(command)`, is. */
static enum err_code open_whole(const char *path, int *out_fd, struct error *err) {
    SCOPED(file_fd) int fd = -1;
    TRY(file_open(path, O_RDONLY | O_NONBLOCK, &fd, err));
    if (fcntl(fd, F_SETFL, O_RDONLY) != 0) {
        return err_set_errno(err, errno, "cannot read '%s'", path);
    }
    *out_fd = fd;
    fd = -1;
    return ERR_OK;
}

enum err_code file_read_all(const char *path, size_t bytes_max, char **out_text, size_t *out_bytes,
                            struct error *err) {
    SCOPED(file_fd) int fd = -1;
    TRY(open_whole(path, &fd, err));
    size_t capacity = 0;
    TRY(first_capacity(fd, path, bytes_max, &capacity, err));
    SCOPED(read_buffer) struct read_buffer buffer = {0};
    TRY(read_buffer_reserve(&buffer, capacity, path, err));
    TRY(read_to_end(fd, path, bytes_max, &buffer, err));
    buffer.bytes[buffer.used] = '\0';
    *out_bytes = buffer.used;
    *out_text = MOVE(buffer.bytes);
    return ERR_OK;
}

static enum err_code regular_size(const struct stat *info, const char *path, int64_t *out_bytes,
                                  struct error *err) {
    if (!S_ISREG(info->st_mode)) {
        return err_set(err, ERR_IO, "'%s' is not a regular file", path);
    }
    *out_bytes = info->st_size;
    return ERR_OK;
}

enum err_code file_size(const char *path, int64_t *out_bytes, struct error *err) {
    struct stat info = {0};
    if (stat(path, &info) != 0) {
        return err_set_errno(err, errno, "cannot read '%s'", path);
    }
    return regular_size(&info, path, out_bytes, err);
}

bool file_exists(const char *path) {
    struct stat info = {0};
    return stat(path, &info) == 0;
}

static bool is_same_inode(const struct stat *left, const struct stat *right) {
    return left->st_dev == right->st_dev && left->st_ino == right->st_ino;
}

/* The folder that holds `path`; false if there is none. `*out_name` points into `path`. */
static bool stat_folder_of(const char *path, const char **out_name, struct stat *out) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    if (length >= sizeof folder) {
        return false;
    }
    memcpy(folder, path, length);
    folder[length] = '\0';
    *out_name = path + length;
    return stat(length > 0 ? folder : ".", out) == 0;
}

bool file_is_same(const char *left, const char *right) {
    struct stat left_info = {0}, right_info = {0};
    const char *left_name = NULL, *right_name = NULL;
    bool has_left = stat(left, &left_info) == 0;
    bool has_right = stat(right, &right_info) == 0;
    if (has_left || has_right) {
        return has_left && has_right && is_same_inode(&left_info, &right_info);
    }
    return stat_folder_of(left, &left_name, &left_info) &&
           stat_folder_of(right, &right_name, &right_info) &&
           is_same_inode(&left_info, &right_info) && strcmp(left_name, right_name) == 0;
}

enum err_code file_remove(const char *path, struct error *err) {
    if (unlink(path) != 0 && errno != ENOENT) {
        return err_set_errno(err, errno, "cannot remove '%s'", path);
    }
    return ERR_OK;
}

/* --- folders --- */

static bool is_folder(const char *path) {
    struct stat info = {0};
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* mkdir comes first and the look comes after, so that two processes making the same folder both
 * succeed. */
static enum err_code make_folder(const char *path, struct error *err) {
    if (!should_fail() && mkdir(path, 0777) == 0) {
        return ERR_OK;
    }
    int errnum = errno;
    if (errnum == EEXIST) {
        if (is_folder(path)) {
            return ERR_OK;
        }
        return err_set(err, ERR_IO, "cannot make folder '%s': a file of that name is there", path);
    }
    /* A folder on a read-only file system says EROFS before it says EEXIST. */
    if (errnum == EROFS && is_folder(path)) {
        return ERR_OK;
    }
    return err_set_errno(err, errnum, "cannot make folder '%s'", path);
}

enum err_code file_make_folders(const char *path, struct error *err) {
    SCOPED(mem) char *prefix = mem_strdup(path);
    if (!prefix) {
        return err_oom(err, "a folder name");
    }
    /* The first byte is no separator: it is the root, or part of a name. */
    for (char *slash = prefix; *slash; slash++) {
        if (*slash == '/' && slash > prefix) {
            *slash = '\0';
            TRY(make_folder(prefix, err));
            *slash = '/';
        }
    }
    return make_folder(prefix, err);
}

/* --- maps --- */

enum err_code file_map_open(const char *path, struct file_map *out_map, struct error *err) {
    SCOPED(file_fd) int fd = -1;
    /* O_NONBLOCK: a pipe without a writer must be refused, not waited for. */
    TRY(file_open(path, O_RDONLY | O_NONBLOCK, &fd, err));
    struct stat info = {0};
    if (fstat(fd, &info) != 0) {
        return err_set_errno(err, errno, "cannot read '%s'", path);
    }
    int64_t bytes = 0;
    TRY(regular_size(&info, path, &bytes, err));
    if (bytes == 0) { /* mmap refuses a length of 0 */
        *out_map = (struct file_map)FILE_MAP_INIT;
        return ERR_OK;
    }
    void *mapped =
        should_fail() ? MAP_FAILED : mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) {
        return err_set_errno(err, errno, "cannot map %lld bytes of '%s'", (long long)bytes, path);
    }
    *out_map = (struct file_map){.bytes = mapped, .count = (size_t)bytes};
    return ERR_OK;
}

void file_map_close(struct file_map *map) {
    if (map->bytes) {
        void *mapped = NULL;
        memcpy(&mapped, &map->bytes, sizeof mapped); /* sheds const for munmap */
        (void)munmap(mapped, map->count);
    }
    *map = (struct file_map)FILE_MAP_INIT;
}
