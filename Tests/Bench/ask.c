// SPDX-License-Identifier: Apache-2.0
//
// Asks a mounted filesystem, past the kernel's caches, for a while, and says how often it answered.
// share.py compares two filesystems by it; it is C, so that what it takes itself is little.
//
//   ask WHAT DIRECTORY THREADS MILLISECONDS
//
//   large     reads of 1 MiB, one after the other, of a file of FILE_SIZE
//   random    reads of 4 KiB anywhere in it
//   getattr   attributes of FILE_COUNT files, which the kernel has and must ask for again
//   create    new empty files, closed at once
//   small     files called small-0 to small-999, which are there: opened, 4 KiB read, closed
//   list      the directory's names, and the attributes of each, which the kernel may have
//
// Before the first four, `ask prepare DIRECTORY 1 0` makes what they need. Prints calls a second.
//
//   gcc -O2 -Wall -Wextra -Werror ask.c -o ask -pthread

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_SIZE (64l << 20)
#define FILE_COUNT 1000
#define LARGE (1l << 20)
#define SMALL 4096l
#define THREAD_LIMIT 64

static const char *what, *directory;
static atomic_int is_over;
static long calls[THREAD_LIMIT];

static void fail(const char *call, const char *path) {
    fprintf(stderr, "ask: %s %s: %s\n", call, path, strerror(errno));
    exit(1);
}

static int open_file(const char *path, int flags) {
    int file = open(path, flags | O_CLOEXEC, 0644);
    if (file < 0) fail("open", path);
    return file;
}

/// What the file has at `offset`, so that a read can be judged.
static uint64_t word_at(long offset) { return (uint64_t)offset * 0x9e3779b97f4a7c15u; }

static void prepare(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s/large", directory);
    int file = open_file(path, O_CREAT | O_WRONLY | O_TRUNC);
    uint64_t *bytes = malloc(LARGE);
    for (long offset = 0; offset < FILE_SIZE; offset += LARGE) {
        for (long at = 0; at < LARGE; at += 8) bytes[at / 8] = word_at(offset + at);
        if (write(file, bytes, LARGE) != LARGE) fail("write", path);
    }
    free(bytes);
    if (fsync(file) != 0) fail("fsync", path);
    close(file);
    for (int index = 0; index < FILE_COUNT; index++) {
        snprintf(path, sizeof path, "%s/file-%d", directory, index);
        close(open_file(path, O_CREAT | O_WRONLY));
    }
}

/// Reads past the page cache; every one is compared in its first and last word.
static void reads(long thread, long size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/large", directory);
    int file = open_file(path, O_RDONLY | O_DIRECT);
    uint64_t *bytes;
    if (posix_memalign((void **)&bytes, 4096, (size_t)size) != 0) fail("memory", path);
    uint64_t dice = 88172645463325252u + (uint64_t)thread;
    long offset = thread * LARGE % FILE_SIZE;
    while (!is_over) {
        if (size == SMALL) {
            dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
            offset = (long)(dice % (FILE_SIZE / SMALL)) * SMALL;
        } else {
            offset = (offset + size) % FILE_SIZE;
        }
        if (pread(file, bytes, (size_t)size, offset) != size) fail("read", path);
        if (bytes[0] != word_at(offset) || bytes[size / 8 - 1] != word_at(offset + size - 8)) {
            fprintf(stderr, "ask: what was read at %ld is not what was written\n", offset);
            exit(1);
        }
        calls[thread]++;
    }
    free(bytes);
    close(file);
}

/// The kernel has the attributes, and is told to ask the filesystem all the same.
static void attributes(long thread) {
    char path[4096];
    struct statx status;
    int files[FILE_COUNT];
    for (int index = 0; index < FILE_COUNT; index++) {
        snprintf(path, sizeof path, "%s/file-%d", directory, index);
        files[index] = open_file(path, O_PATH);
    }
    for (long index = thread; !is_over; index++) {
        int flags = AT_EMPTY_PATH | AT_STATX_FORCE_SYNC;
        if (statx(files[index % FILE_COUNT], "", flags, STATX_BASIC_STATS, &status) != 0)
            fail("statx", path);
        calls[thread]++;
    }
    for (int index = 0; index < FILE_COUNT; index++) close(files[index]);
}

static void creations(long thread) {
    char path[4096];
    struct timespec now;
    // Rounds do not meet each other's names.
    clock_gettime(CLOCK_MONOTONIC, &now);
    while (!is_over) {
        snprintf(path, sizeof path, "%s/%lx%lx-%ld-%ld", directory, (long)now.tv_sec, now.tv_nsec,
                 thread, calls[thread]);
        close(open_file(path, O_CREAT | O_EXCL | O_WRONLY));
        calls[thread]++;
    }
}

/// Each file is opened past the page cache.
static void smalls(long thread) {
    char path[4096];
    void *bytes;
    if (posix_memalign(&bytes, 4096, SMALL) != 0) fail("memory", directory);
    for (long index = thread; !is_over; index++) {
        snprintf(path, sizeof path, "%s/small-%ld", directory, index % FILE_COUNT);
        int file = open_file(path, O_RDONLY | O_DIRECT);
        if (pread(file, bytes, SMALL, 0) != SMALL) fail("read", path);
        close(file);
        calls[thread]++;
    }
    free(bytes);
}

/// What `ls -l` asks, as often as there is time for.
static void listings(long thread) {
    struct stat status;
    while (!is_over) {
        DIR *stream = opendir(directory);
        if (!stream) fail("opendir", directory);
        long seen = 0;
        for (struct dirent *entry; (entry = readdir(stream)); seen++)
            if (fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
                fail("stat", entry->d_name);
        closedir(stream);
        if (seen < 2) fail("readdir", directory);
        calls[thread]++;
    }
}

static void *run(void *number) {
    long thread = (long)(intptr_t)number;
    if (strcmp(what, "large") == 0) {
        reads(thread, LARGE);
    } else if (strcmp(what, "random") == 0) {
        reads(thread, SMALL);
    } else if (strcmp(what, "getattr") == 0) {
        attributes(thread);
    } else if (strcmp(what, "small") == 0) {
        smalls(thread);
    } else if (strcmp(what, "list") == 0) {
        listings(thread);
    } else {
        creations(thread);
    }
    return NULL;
}

int main(int count, char **words) {
    if (count != 5) {
        fprintf(stderr, "usage: ask WHAT DIRECTORY THREADS MS\n");
        return 64;
    }
    what = words[1];
    directory = words[2];
    long threads = strtol(words[3], NULL, 10), wait = strtol(words[4], NULL, 10);
    if (strcmp(what, "prepare") == 0) {
        prepare();
        return 0;
    }
    if (threads < 1 || threads > THREAD_LIMIT || wait < 1) return 64;
    pthread_t ids[THREAD_LIMIT];
    struct timespec start, end;
    struct timespec pause = {wait / 1000, wait % 1000 * 1000000};
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long thread = 0; thread < threads; thread++)
        if (pthread_create(&ids[thread], NULL, run, (void *)(intptr_t)thread) != 0) return 1;
    nanosleep(&pause, NULL);
    is_over = 1;
    long sum = 0;
    for (long thread = 0; thread < threads; thread++) {
        pthread_join(ids[thread], NULL);
        sum += calls[thread];
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    printf("%.1f\n", (double)sum / seconds);
    return 0;
}
