// SPDX-License-Identifier: Apache-2.0
//
// Debian's libcurl, as a module, and its variadic calls once for each type that we hand over:
// Swift calls no variadic functions. Decides nothing.

#pragma once

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stdint.h>

/// Moves `count` items of `size` bytes to or from `buffer`; CURLOPT_WRITEFUNCTION and its like.
typedef size_t (*cairn_curl_mover)(char *buffer, size_t size, size_t count, void *context);

/// curl_easy_setopt of an option that takes a `long`.
static inline CURLcode cairn_curl_set_number(CURL *curl, CURLoption option, int64_t value) {
    return curl_easy_setopt(curl, option, (long)value);
}

/// curl_easy_setopt of an option that takes a `curl_off_t`.
static inline CURLcode cairn_curl_set_offset(CURL *curl, CURLoption option, int64_t value) {
    return curl_easy_setopt(curl, option, (curl_off_t)value);
}

/// curl_easy_setopt of an option that takes a string, which libcurl copies.
static inline CURLcode cairn_curl_set_text(CURL *curl, CURLoption option, const char *value) {
    return curl_easy_setopt(curl, option, value);
}

/// curl_easy_setopt of an option that takes a pointer, which libcurl keeps.
static inline CURLcode cairn_curl_set_pointer(CURL *curl, CURLoption option, void *value) {
    return curl_easy_setopt(curl, option, value);
}

/// curl_easy_setopt of CURLOPT_WRITEFUNCTION, CURLOPT_READFUNCTION or CURLOPT_HEADERFUNCTION.
static inline CURLcode cairn_curl_set_mover(
    CURL *curl, CURLoption option, cairn_curl_mover mover) {
    return curl_easy_setopt(curl, option, mover);
}

/// curl_easy_setopt of CURLOPT_SEEKFUNCTION.
static inline CURLcode cairn_curl_set_seek(CURL *curl, curl_seek_callback seek) {
    return curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, seek);
}

/// curl_easy_setopt of CURLOPT_PREREQFUNCTION: called when the connection is there.
static inline CURLcode cairn_curl_set_connected(CURL *curl, curl_prereq_callback connected) {
    return curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, connected);
}

/// curl_easy_getinfo of a value that is a `long`; 0 if there is none.
static inline int64_t cairn_curl_number(CURL *curl, CURLINFO info) {
    long value = 0;
    return curl_easy_getinfo(curl, info, &value) == CURLE_OK ? (int64_t)value : 0;
}

/// curl_multi_setopt of an option that takes a `long`.
static inline CURLMcode cairn_curl_multi_set_number(
    CURLM *multi, CURLMoption option, int64_t value) {
    return curl_multi_setopt(multi, option, (long)value);
}

/// curl_multi_info_read until it tells of a transfer that is done: 1 with its outcome, else 0.
static inline int32_t cairn_curl_multi_outcome(CURLM *multi, CURLcode *outcome) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *outcome = message->data.result;
            return 1;
        }
    }
    return 0;
}

/// curl_share_setopt of CURLSHOPT_SHARE.
static inline CURLSHcode cairn_curl_share_data(CURLSH *share, curl_lock_data data) {
    return curl_share_setopt(share, CURLSHOPT_SHARE, data);
}

/// curl_share_setopt of the two functions that keep threads apart, and their context.
static inline CURLSHcode cairn_curl_share_locks(
    CURLSH *share, curl_lock_function lock, curl_unlock_function unlock, void *context) {
    CURLSHcode code = curl_share_setopt(share, CURLSHOPT_LOCKFUNC, lock);
    if (code == CURLSHE_OK) code = curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, unlock);
    if (code == CURLSHE_OK) code = curl_share_setopt(share, CURLSHOPT_USERDATA, context);
    return code;
}
