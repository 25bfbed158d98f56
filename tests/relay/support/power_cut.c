/* Put before the C library (LD_PRELOAD), this records what a program does to the files of the folder POWER_CUT_FOLDER,
   one record after the other at the end of the file POWER_CUT_LOG. tests/relay/store/power_cuts/recording.rs reads it.

   - A write is recorded before it is done. So the record of what a killed program did last may be one too many, and
     none is missing. What makes, renames or removes a name is recorded after it, since it may fail.
   - A sync is recorded once it has succeeded, with the length of the log at its beginning: it covers what is before.
   - The index of a WAL (-shm) is left out: it is mapped, and SQLite makes it anew after a cut.
   - What would write a file in a way that is not recorded ends the program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPENED = 1, WRITTEN, CUT, SYNCED, FOLDER_SYNCED, RENAMED, REMOVED };
struct record {
    uint32_t mark, kind;
    /* The file's inode. */
    uint64_t file;
    /* WRITTEN: the offset. CUT: the new length. OPENED: 1 if it was made. */
    uint64_t at;
    /* SYNCED, FOLDER_SYNCED: the length of the log when the sync began. */
    uint64_t begun;
    /* The bytes that follow: what was written, or names. */
    uint64_t size;
};
#define MARK 0x43525750u

enum { NOTHING, A_FILE, THE_FOLDER };
#define FILES 65536
static struct {
    unsigned char is, appends;
    ino_t file;
    char *name;
} open_files[FILES];
static const char *folder;
static int log_file = -1;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static void give_up(const char *why) {
    fprintf(stderr, "the recorder of the power cuts panicked: %s\n", why);
    abort();
}

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("POWER_CUT_LOG");
    const char *in = getenv("POWER_CUT_FOLDER");
    if (!log || !in) return;
    log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log_file < 0) give_up("its log cannot be opened");
    folder = in;
}

static int is_folder(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    return length && strncmp(path, folder, length) == 0 && (!path[length] || (path[length] == '/' && !path[length + 1]));
}

/* The name of a file in the folder that is recorded, or none. */
static const char *inside(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    if (!length || strncmp(path, folder, length) != 0 || path[length] != '/') return NULL;
    const char *name = path + length + 1;
    size_t rest = strlen(name);
    if (!rest || strchr(name, '/') || (rest > 4 && strcmp(name + rest - 4, "-shm") == 0)) return NULL;
    return name;
}

static int is_recorded(int file) {
    return log_file >= 0 && file >= 0 && file < FILES ? open_files[file].is : NOTHING;
}

static uint64_t log_length(void) {
    struct stat found;
    if (fstat(log_file, &found) != 0) give_up("its log has no length");
    return (uint64_t)found.st_size;
}

/* One call, so that records of several processes stand one after the other. */
static void record(uint32_t kind, ino_t file, uint64_t at, uint64_t begun, const void *bytes, size_t size) {
    struct record head = {MARK, kind, file, at, begun, size};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, size}};
    int error = errno;
    if (syscall(SYS_writev, log_file, parts, 2) != (long)(sizeof head + size)) give_up("its log cannot be written");
    errno = error;
}

static void record_names(uint32_t kind, const char *one, const char *other) {
    char both[2 * NAME_MAX + 2];
    int size = snprintf(both, sizeof both, "%s/%s", one, other);
    record(kind, 0, 0, 0, both, (size_t)size);
}

/* The names that open files got by a system call of the program's own: it renames so where rename() cannot be used. */
static void find_renamed(void) {
    for (int file = 0; file < FILES; file++) {
        char link[64], path[PATH_MAX];
        if (open_files[file].is != A_FILE) continue;
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length < 0) continue;
        path[length] = 0;
        const char *name = inside(path);
        if (!name || strchr(name, ' ') || strcmp(name, open_files[file].name) == 0) continue;
        record_names(RENAMED, open_files[file].name, name);
        free(open_files[file].name);
        open_files[file].name = strdup(name);
    }
}

static int opening(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    const char *name = inside(path);
    if (log_file < 0 || (!name && !is_folder(path))) return real(path, flags, mode);
    pthread_mutex_lock(&order);
    struct stat before, found;
    int was = stat(path, &before) == 0;
    int file = real(path, flags, mode);
    int error = errno;
    if (file >= FILES) give_up("too many open files");
    if (file >= 0 && fstat(file, &found) == 0) {
        if (S_ISDIR(found.st_mode)) {
            open_files[file].is = THE_FOLDER;
            find_renamed();
        } else if (name && S_ISREG(found.st_mode)) {
            open_files[file].is = A_FILE;
            open_files[file].appends = (flags & O_APPEND) != 0;
            open_files[file].file = found.st_ino;
            open_files[file].name = strdup(name);
            if (!was || (flags & O_ACCMODE) != O_RDONLY) record(OPENED, found.st_ino, !was, 0, name, strlen(name));
            if (was && (flags & O_TRUNC) && before.st_size) record(CUT, found.st_ino, 0, 0, NULL, 0);
        }
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return file;
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    REAL(open);
    return opening(real, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    REAL(open64);
    return opening(real, path, flags, mode);
}

static int opening_at(int (*real)(int, const char *, int, ...), int at, const char *path, int flags, mode_t mode) {
    if (log_file >= 0 && (inside(path) || is_folder(path))) return open(path, flags, mode);
    return real(at, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    REAL(openat);
    return opening_at(real, at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    REAL(openat64);
    return opening_at(real, at, path, flags, mode);
}

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int file) {
    REAL(close);
    if (is_recorded(file)) {
        pthread_mutex_lock(&order);
        free(open_files[file].name);
        memset(&open_files[file], 0, sizeof open_files[file]);
        pthread_mutex_unlock(&order);
    }
    return real(file);
}

static void written(int file, uint64_t at, const void *bytes, size_t size) {
    record(WRITTEN, open_files[file].file, at, 0, bytes, size);
}

static ssize_t whole(ssize_t result, size_t size) {
    if (result != (ssize_t)size) give_up("a write was not done as it was recorded");
    return result;
}

ssize_t write(int file, const void *bytes, size_t size) {
    REAL(write);
    if (is_recorded(file) != A_FILE) return real(file, bytes, size);
    pthread_mutex_lock(&order);
    written(file, (uint64_t)lseek(file, 0, open_files[file].appends ? SEEK_END : SEEK_CUR), bytes, size);
    ssize_t result = whole(real(file, bytes, size), size);
    pthread_mutex_unlock(&order);
    return result;
}

#define PWRITE(name, offset) \
    ssize_t name(int file, const void *bytes, size_t size, offset at) { \
        REAL(name); \
        if (is_recorded(file) != A_FILE) return real(file, bytes, size, at); \
        pthread_mutex_lock(&order); \
        written(file, (uint64_t)at, bytes, size); \
        ssize_t result = whole(real(file, bytes, size, at), size); \
        pthread_mutex_unlock(&order); \
        return result; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define FTRUNCATE(name, offset) \
    int name(int file, offset length) { \
        REAL(name); \
        if (is_recorded(file) != A_FILE) return real(file, length); \
        pthread_mutex_lock(&order); \
        record(CUT, open_files[file].file, (uint64_t)length, 0, NULL, 0); \
        int result = real(file, length); \
        if (result != 0) give_up("a file was not cut as it was recorded"); \
        pthread_mutex_unlock(&order); \
        return result; \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
    int name(int file) { \
        REAL(name); \
        int is = is_recorded(file); \
        if (is == NOTHING) return real(file); \
        pthread_mutex_lock(&order); \
        uint64_t begun = log_length(); \
        pthread_mutex_unlock(&order); \
        int result = real(file); \
        if (result != 0) return result; \
        pthread_mutex_lock(&order); \
        record(is == A_FILE ? SYNCED : FOLDER_SYNCED, open_files[file].file, 0, begun, NULL, 0); \
        pthread_mutex_unlock(&order); \
        return result; \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
    REAL(rename);
    const char *one = inside(from), *other = inside(to);
    if (log_file < 0 || (!one && !other)) return real(from, to);
    if (!one || !other) give_up("a file was moved into the folder or out of it");
    pthread_mutex_lock(&order);
    int result = real(from, to);
    if (result == 0) {
        record_names(RENAMED, one, other);
        for (int file = 0; file < FILES; file++) {
            if (open_files[file].is != A_FILE || strcmp(open_files[file].name, one) != 0) continue;
            free(open_files[file].name);
            open_files[file].name = strdup(other);
        }
    }
    pthread_mutex_unlock(&order);
    return result;
}

int unlink(const char *path) {
    REAL(unlink);
    const char *name = inside(path);
    if (log_file < 0 || !name) return real(path);
    pthread_mutex_lock(&order);
    int result = real(path);
    if (result == 0) record(REMOVED, 0, 0, 0, name, strlen(name));
    pthread_mutex_unlock(&order);
    return result;
}

/* What is not recorded, and so must not happen to a recorded file. */
#define REFUSED(result, name, parameters, file, arguments) \
    result name parameters { \
        REAL(name); \
        if (is_recorded(file) == A_FILE) give_up(#name " is not recorded"); \
        return real arguments; \
    }
REFUSED(ssize_t, writev, (int file, const struct iovec *parts, int count), file, (file, parts, count))
REFUSED(ssize_t, pwritev, (int file, const struct iovec *parts, int count, off_t at), file, (file, parts, count, at))
REFUSED(int, fallocate, (int file, int mode, off_t at, off_t size), file, (file, mode, at, size))
REFUSED(int, fallocate64, (int file, int mode, off64_t at, off64_t size), file, (file, mode, at, size))
REFUSED(int, posix_fallocate, (int file, off_t at, off_t size), file, (file, at, size))
REFUSED(int, posix_fallocate64, (int file, off64_t at, off64_t size), file, (file, at, size))
REFUSED(ssize_t, copy_file_range, (int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags), to,
        (from, at, to, there, size, flags))

#define REFUSED_PATHS(name, parameters, path, arguments) \
    int name parameters { \
        REAL(name); \
        if (log_file >= 0 && inside(path)) give_up(#name " is not recorded"); \
        return real arguments; \
    }
REFUSED_PATHS(truncate, (const char *path, off_t length), path, (path, length))
REFUSED_PATHS(truncate64, (const char *path, off64_t length), path, (path, length))
REFUSED_PATHS(link, (const char *from, const char *to), to, (from, to))
REFUSED_PATHS(linkat, (int at, const char *from, int there, const char *to, int flags), to, (at, from, there, to, flags))
REFUSED_PATHS(unlinkat, (int at, const char *path, int flags), path, (at, path, flags))
REFUSED_PATHS(renameat, (int at, const char *from, int there, const char *to), to, (at, from, there, to))

#define MMAP(name, offset) \
    void *name(void *where, size_t size, int protection, int flags, int file, offset at) { \
        REAL(name); \
        if ((protection & PROT_WRITE) && (flags & MAP_SHARED) && is_recorded(file)) give_up(#name " is not recorded"); \
        return real(where, size, protection, flags, file, at); \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)
