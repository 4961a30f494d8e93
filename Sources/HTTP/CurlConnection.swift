// SPDX-License-Identifier: Apache-2.0
//
// A handle of libcurl with the connections it keeps. The only file that performs transfers; the
// library is driven by its multi interface, because only that can be woken from another thread.
//
// Invariants:
// - One thread at a time performs on a connection; any thread may wake it up.
// - Outside `perform`, the easy handle is on no multi handle and refers to no transfer.

internal import CCurl
internal import Threading

/// One request at a time, over connections that stay open for the next.
///
/// `@unchecked Sendable` because the pool lends it to one thread at a time, and the one call of
/// other threads, `curl_multi_wakeup`, is made for that.
@safe final class CurlConnection: @unchecked Sendable {
    /// Servers that a handle stays connected to; a store has one, or two behind one name.
    static let keptConnectionLimit = 4
    /// The longest sleep; whatever is to end it, a deadline or another thread, ends it before.
    private static let longestWait = Duration.seconds(30)

    private let multi: UnsafeMutableRawPointer
    private let easy: UnsafeMutableRawPointer
    private let settings: CurlSettings

    init(_ settings: CurlSettings) {
        self.settings = settings
        // SAFETY: both are owned by this object until deinit.
        guard let multi = unsafe curl_multi_init(), let easy = unsafe curl_easy_init() else {
            preconditionFailure("out of memory for a connection")
        }
        unsafe self.multi = unsafe multi
        unsafe self.easy = unsafe easy
        // SAFETY: as above.
        unsafe cairn_curl_multi_set_number(
            multi, CURLMOPT_MAXCONNECTS, Int64(CurlConnection.keptConnectionLimit))
    }

    deinit {
        // SAFETY: nobody else has a reference; the easy handle was taken off the multi handle.
        unsafe curl_easy_cleanup(easy)
        // SAFETY: as above. Closes the connections.
        unsafe curl_multi_cleanup(multi)
    }

    /// Ends the sleep of the thread that performs, now or when it next falls asleep.
    func wakeUp() {
        // SAFETY: documented to be callable from any thread for as long as the handle lives.
        unsafe curl_multi_wakeup(multi)
    }

    /// Sends a request and takes its answer.
    ///
    /// - Parameters:
    ///   - deadline: of the whole.
    ///   - isCancelled: asked after every wake-up, and whenever bytes have moved.
    func perform(
        _ request: HTTPRequest, until deadline: WaitClock.Instant?,
        isCancelled: () -> Bool
    ) throws(HTTPError) -> HTTPResponse {
        let transfer = CurlTransfer(request)
        // SAFETY: the handle is ours and outlives the options.
        let options = unsafe CurlOptions(easy: easy)
        defer { options.reset() }
        try options.apply(request, settings, transfer)
        // SAFETY: both handles are ours. The easy one is taken off before this returns.
        guard unsafe curl_multi_add_handle(multi, easy) == CURLM_OK else {
            throw HTTPError(.unreachable)
        }
        let ending = withExtendedLifetime((transfer, options)) {
            run(transfer, until: deadline, isCancelled: isCancelled)
        }
        // SAFETY: as above. One that is not done is broken off with its connection.
        unsafe curl_multi_remove_handle(multi, easy)
        let mayBeDone = transfer.lastProgress != nil
        switch ending {
        case .failed(let cause): throw HTTPError(cause, mayBeDone: mayBeDone)
        case .done(CURLE_OK):
            // SAFETY: the handle is ours.
            let status = unsafe cairn_curl_number(easy, CURLINFO_RESPONSE_CODE)
            guard (200...599).contains(status) else {
                throw HTTPError(.garbled, mayBeDone: true)
            }
            return HTTPResponse(
                status: Int(status), headers: transfer.headers, body: transfer.body)
        case .done(let code):
            let cause = transfer.failure ?? options.cause(of: code, isConnected: mayBeDone)
            throw HTTPError(cause, mayBeDone: mayBeDone)
        }
    }

    private enum Ending {
        case done(CURLcode)
        case failed(HTTPError.Cause)
    }

    private func run(
        _ transfer: CurlTransfer, until deadline: WaitClock.Instant?,
        isCancelled: () -> Bool
    ) -> Ending {
        while true {
            if isCancelled() { return .failed(.cancelled) }
            var runningCount: Int32 = 0
            // SAFETY: the handle is ours; the count is a local.
            guard unsafe curl_multi_perform(multi, &runningCount) == CURLM_OK else {
                return .failed(transfer.failure ?? .unreachable)
            }
            var outcome = CURLE_OK
            // SAFETY: as above.
            if unsafe cairn_curl_multi_outcome(multi, &outcome) == 1 { return .done(outcome) }
            let now = WaitClock.now
            var wait = CurlConnection.longestWait
            if let deadline {
                guard now < deadline else { return .failed(.timedOut(.total)) }
                wait = min(wait, deadline - now)
            }
            if let progress = transfer.lastProgress {
                let end = progress + transfer.request.timeouts.stall
                let rest = end - .now
                guard rest > .zero else { return .failed(.timedOut(.stalled)) }
                wait = min(wait, rest)
            }
            let milliseconds =
                Int32(clamping: wait.components.seconds * 1000)
                + Int32(wait.components.attoseconds / 1_000_000_000_000_000) + 1
            // SAFETY: as above. No descriptors of our own are waited for.
            unsafe curl_multi_poll(multi, nil, 0, milliseconds, nil)
        }
    }
}
