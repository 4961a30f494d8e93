// SPDX-License-Identifier: Apache-2.0
//
// What all connections of a client know together: resolved names and TLS sessions, so that the
// second connection to a server needs neither a look-up nor a whole handshake.

internal import CCurl
internal import Glibc

/// libcurl, begun once in the life of the process.
enum CurlLibrary {
    /// Touch this before any other call of libcurl.
    static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
}

/// Names and TLS sessions that connections share.
///
/// `@unchecked Sendable` because libcurl takes the locks given here around whatever it shares.
@safe final class CurlShare: @unchecked Sendable {
    /// The library's object; lives as long as this one.
    let handle: UnsafeMutableRawPointer
    private let mutexes: UnsafeMutablePointer<pthread_mutex_t>
    private static let mutexCount = Int(CURL_LOCK_DATA_LAST.rawValue)

    init() {
        precondition(CurlLibrary.isReady, "libcurl does not start")
        // SAFETY: owned by this object alone, initialised here, freed in deinit.
        unsafe mutexes = .allocate(capacity: CurlShare.mutexCount)
        for index in 0..<CurlShare.mutexCount {
            // SAFETY: within the capacity, and not yet initialised.
            unsafe pthread_mutex_init(mutexes + index, nil)
        }
        // SAFETY: owned by this object until deinit.
        guard let handle = unsafe curl_share_init() else {
            preconditionFailure("out of memory for an HTTP client")
        }
        unsafe self.handle = unsafe handle
        // SAFETY: the mutexes outlive the share. libcurl unlocks only what it locked, by the same
        // number, which is below CURL_LOCK_DATA_LAST.
        unsafe cairn_curl_share_locks(
            handle,
            { _, data, _, context in
                guard let context = unsafe context else { return }
                let mutexes = unsafe context.assumingMemoryBound(to: pthread_mutex_t.self)
                unsafe pthread_mutex_lock(mutexes + Int(data.rawValue))
            },
            { _, data, context in
                guard let context = unsafe context else { return }
                let mutexes = unsafe context.assumingMemoryBound(to: pthread_mutex_t.self)
                unsafe pthread_mutex_unlock(mutexes + Int(data.rawValue))
            }, mutexes)
        // SAFETY: as above. A library without one of them works, only slower.
        unsafe cairn_curl_share_data(handle, CURL_LOCK_DATA_DNS)
        unsafe cairn_curl_share_data(handle, CURL_LOCK_DATA_SSL_SESSION)
    }

    deinit {
        // SAFETY: every connection holds a reference to this object, so none uses it any more.
        unsafe curl_share_cleanup(handle)
        for index in 0..<CurlShare.mutexCount {
            // SAFETY: initialised in init, and held by nobody.
            unsafe pthread_mutex_destroy(mutexes + index)
        }
        // SAFETY: allocated in init, freed once.
        unsafe mutexes.deallocate()
    }
}
