/* What a program does to the files under one folder, written to a journal in its order.
 *
 * Loaded with LD_PRELOAD. UNSYNCED_FOLDER is the folder, with its own path as the program says it;
 * UNSYNCED_JOURNAL the file. `disk.py` makes of it what a disk would hold after a power cut: the
 * program is then killed, and neither it nor the system has any part in that.
 *
 * While a file UNSYNCED_REFUSE exists nothing under the folder can be written or synced, as on a disk
 * that has failed.
 *
 * A record is one line of text, "WORD FD OFFSET SIZE PATH [PATH]", each path followed by a zero byte,
 * and SIZE bytes if the word is "write". One lock is held around each call and its record, so their
 * order is one. What is mapped into memory is not seen: SQLite maps its "-shm" file alone, which
 * it makes anew after a crash.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FILES 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char watched[MOST_FILES];
static const char *folder;
static int journal = -1;

__attribute__((constructor)) static void begin(void) {
    folder = getenv("UNSYNCED_FOLDER");
    journal = syscall(SYS_openat, AT_FDCWD, getenv("UNSYNCED_JOURNAL"),
                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD"); /* children write journals of their own, if any */
}

static void record(const char *word, int fd, long long offset, const void *data, size_t size,
                   const char *path, const char *other) {
    char head[96 + 2 * PATH_MAX];
    int length = snprintf(head, sizeof head, "%s %d %lld %zu %s", word, fd, offset, size, path);
    head[length++] = 0;
    length += snprintf(head + length, sizeof head - length, "%s", other);
    head[length++] = 0;
    struct iovec pieces[2] = {{head, length}, {(void *)data, data ? size : 0}};
    if (syscall(SYS_writev, journal, pieces, 2) != (ssize_t)(length + pieces[1].iov_len)) abort();
}

static int is_inside(const char *path) {
    size_t length = strlen(folder);
    return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int is_watched(int fd) { return fd >= 0 && fd < MOST_FILES && watched[fd]; }

static int is_refused(void) {
    const char *path = getenv("UNSYNCED_REFUSE");
    if (!path || access(path, F_OK)) return 0;
    errno = EROFS;
    return 1;
}

static int opened(int folder_fd, const char *path, int flags, mode_t mode) {
    if (folder_fd != AT_FDCWD || !is_inside(path)) {
        int fd = syscall(SYS_openat, folder_fd, path, flags, mode);
        if (fd >= 0 && fd < MOST_FILES) watched[fd] = 0;
        return fd;
    }
    pthread_mutex_lock(&lock);
    int was_there = !access(path, F_OK);
    if (!was_there && flags & O_CREAT && is_refused()) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    int fd = syscall(SYS_openat, folder_fd, path, flags, mode), failure = errno;
    if (fd >= MOST_FILES) abort();
    if (fd >= 0) {
        watched[fd] = 1;
        record(was_there ? flags & O_TRUNC ? "empty" : "open" : "create", fd, 0, NULL, 0, path, "");
    }
    pthread_mutex_unlock(&lock);
    errno = failure;
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }

int close(int fd) {
    pthread_mutex_lock(&lock);
    if (is_watched(fd)) {
        record("close", fd, 0, NULL, 0, "", "");
        watched[fd] = 0;
    }
    int result = syscall(SYS_close, fd), failure = errno;
    pthread_mutex_unlock(&lock);
    errno = failure;
    return result;
}

/* Do a call that returns how much it wrote, and record that. */
#define WRITTEN(fd, call, where, data) \
    if (!is_watched(fd)) return call; \
    if (is_refused()) return -1; \
    pthread_mutex_lock(&lock); \
    ssize_t done = call; \
    int failure = errno; \
    if (done > 0) record("write", fd, where, data, done, "", ""); \
    pthread_mutex_unlock(&lock); \
    errno = failure; \
    return done;

ssize_t write(int fd, const void *data, size_t size) {
    WRITTEN(fd, syscall(SYS_write, fd, data, size), lseek(fd, 0, SEEK_CUR) - done, data)
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t where) {
    WRITTEN(fd, syscall(SYS_pwrite64, fd, data, size, where), where, data)
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t where) {
    WRITTEN(fd, syscall(SYS_pwrite64, fd, data, size, where), where, data)
}

/* Do a call that returns 0 if all went well, and record that. */
#define DONE(fd, call, word, offset, path, other) \
    if (is_refused()) return -1; \
    pthread_mutex_lock(&lock); \
    int result = call, failure = errno; \
    if (!result) record(word, fd, offset, NULL, 0, path, other); \
    pthread_mutex_unlock(&lock); \
    errno = failure; \
    return result;

int ftruncate(int fd, off_t size) {
    if (!is_watched(fd)) return syscall(SYS_ftruncate, fd, size);
    DONE(fd, syscall(SYS_ftruncate, fd, size), "resize", size, "", "")
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int posix_fallocate(int fd, off_t offset, off_t size) {
    int failure = syscall(SYS_fallocate, fd, 0, offset, size) ? errno : 0;
    struct stat64 found;
    if (failure || !is_watched(fd) || fstat64(fd, &found)) return failure;
    pthread_mutex_lock(&lock);
    record("resize", fd, found.st_size, NULL, 0, "", "");
    pthread_mutex_unlock(&lock);
    return 0;
}
int posix_fallocate64(int fd, off64_t offset, off64_t size) { return posix_fallocate(fd, offset, size); }

/* Nothing is really synced: what is on the disk is what the journal says. */
int fsync(int fd) {
    if (!is_watched(fd)) return syscall(SYS_fsync, fd);
    DONE(fd, 0, "sync", 0, "", "")
}
int fdatasync(int fd) {
    if (!is_watched(fd)) return syscall(SYS_fdatasync, fd);
    DONE(fd, 0, "sync", 0, "", "")
}

int rename(const char *from, const char *to) {
    if (!is_inside(from) && !is_inside(to)) return syscall(SYS_rename, from, to);
    DONE(-1, syscall(SYS_rename, from, to), "rename", 0, from, to)
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
    if (from_at != AT_FDCWD || to_at != AT_FDCWD) return syscall(SYS_renameat, from_at, from, to_at, to);
    return rename(from, to);
}
int unlink(const char *path) {
    if (!is_inside(path)) return syscall(SYS_unlink, path);
    DONE(-1, syscall(SYS_unlink, path), "unlink", 0, path, "")
}
int unlinkat(int at, const char *path, int flags) {
    if (at != AT_FDCWD || !is_inside(path)) return syscall(SYS_unlinkat, at, path, flags);
    DONE(-1, syscall(SYS_unlinkat, at, path, flags), "unlink", 0, path, "")
}
int rmdir(const char *path) {
    if (!is_inside(path)) return syscall(SYS_rmdir, path);
    DONE(-1, syscall(SYS_rmdir, path), "unlink", 0, path, "")
}
int mkdir(const char *path, mode_t mode) {
    if (!is_inside(path)) return syscall(SYS_mkdir, path, mode);
    DONE(-1, syscall(SYS_mkdir, path, mode), "mkdir", 0, path, "")
}
