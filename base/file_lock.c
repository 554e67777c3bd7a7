/* file_lock.c - see file_lock.h. */
#include "base/file_lock.h"

#include "base/file.h"
#include "base/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether `path` still names the file that `fd` has open: between our open and our lock its holder
 * may have renamed or removed it, and then the lock is on a file that is no longer ours. */
static bool still_named(int fd, const char *path) {
    struct stat opened = {0};
    struct stat named = {0};
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

/* False when another descriptor holds the lock. */
static bool take(int fd) {
    int result = -1;
    do {
        result = flock(fd, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    return result == 0 || errno != EWOULDBLOCK;
}

enum err_code file_lock_open(const char *path, int *out_fd, struct error *err) {
    for (;;) {
        SCOPED(file_fd) int fd = -1;
        TRY(file_open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, &fd, err));
        if (!take(fd)) {
            *out_fd = -1;
            return ERR_OK;
        }
        if (still_named(fd, path)) {
            *out_fd = fd;
            fd = -1;
            return ERR_OK;
        }
    }
}

void file_lock_close(int *fd, const char *path) {
    if (*fd >= 0) {
        (void)unlink(path); /* while it is locked: nobody else can have come to own it */
        file_fd_scoped_end(fd);
    }
}
