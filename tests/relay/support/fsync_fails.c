/* Put before the C library (LD_PRELOAD), this lets no folder be synced, as on file systems that cannot: FUSE's and CIFS's, say. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>

int fsync(int file) {
    static int (*real)(int);
    struct stat found;
    if (!real) {
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    }
    if (fstat(file, &found) == 0 && S_ISDIR(found.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return real(file);
}
