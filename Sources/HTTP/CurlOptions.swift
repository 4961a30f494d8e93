// SPDX-License-Identifier: Apache-2.0
//
// A request in the words of libcurl, and libcurl's answers in ours.

internal import CCurl
internal import Glibc

/// What all requests of a client have in common.
struct CurlSettings: Sendable {
    let configuration: HTTPClient.Configuration
    let share: CurlShare
}

/// The options of one transfer. Owns the lists that libcurl keeps pointers to until `reset`.
@safe final class CurlOptions {
    private let easy: UnsafeMutableRawPointer
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private let errorText: UnsafeMutablePointer<CChar>
    /// The longest text of the library that is handed on.
    private static let textLimit = 200

    /// - Parameter easy: a handle without options, which outlives this object.
    init(easy: UnsafeMutableRawPointer) {
        // SAFETY: kept while the caller keeps it.
        unsafe self.easy = unsafe easy
        // SAFETY: owned by this object, freed in deinit, after `reset`.
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        // SAFETY: within the capacity.
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        // SAFETY: `reset` took libcurl's pointers to both away.
        unsafe curl_slist_free_all(headerList)
        // SAFETY: as above.
        unsafe errorText.deallocate()
    }

    /// Takes all options off the handle; it keeps its connections.
    func reset() {
        // SAFETY: the handle is on no multi handle.
        unsafe curl_easy_reset(easy)
    }

    /// Sets every option of a request.
    ///
    /// - Parameter transfer: is called back; must outlive the transfer.
    func apply(
        _ request: HTTPRequest, _ settings: CurlSettings, _ transfer: CurlTransfer
    ) throws(HTTPError) {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_URL, request.url)
        // A signed path with dots in it must arrive as it was signed.
        set(CURLOPT_PATH_AS_IS, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // One request a connection at a time: HTTP/2 would bring frames, and nothing else.
        set(CURLOPT_HTTP_VERSION, Int64(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_TCP_KEEPALIVE, 1)
        // An application's buffer of 16 KiB, the default, costs a third of the speed on loopback.
        prefer(CURLOPT_BUFFERSIZE, CurlOptions.bufferSize(at: request.speeds.received))
        prefer(CURLOPT_UPLOAD_BUFFERSIZE, CurlOptions.bufferSize(at: request.speeds.sent))
        set(CURLOPT_CONNECTTIMEOUT_MS, max(1, request.timeouts.connect.milliseconds))
        set(CURLOPT_USERAGENT, settings.configuration.userAgent)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        if let file = settings.configuration.certificateFile { set(CURLOPT_CAINFO, file) }
        if !settings.configuration.usesEnvironmentProxy { set(CURLOPT_PROXY, "") }
        // SAFETY: the share outlives every connection; the buffer is freed after `reset`.
        unsafe cairn_curl_set_pointer(easy, CURLOPT_SHARE, settings.share.handle)
        unsafe cairn_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
        apply(request.method, request.body)
        try apply(request.headers)
        setCallbacks(transfer)
    }

    /// Bytes that are moved at a time: a quarter of a second's where speed is limited, so that
    /// they go evenly.
    ///
    /// - Source: the least that libcurl takes for both is 16 KiB.
    private static func bufferSize(at speed: UInt64?) -> Int64 {
        min(256 * 1024, max(16 * 1024, Int64(clamping: (speed ?? .max) / 4)))
    }

    private func apply(_ method: HTTPMethod, _ body: HTTPBody) {
        switch body {
        case .none:
            if method == .head { set(CURLOPT_NOBODY, 1) } else { set(CURLOPT_HTTPGET, 1) }
            if method != .head, method != .get { set(CURLOPT_CUSTOMREQUEST, method.rawValue) }
        case .bytes(let bytes):
            upload(method, size: Int64(bytes.count))
        case .stream(let source):
            upload(method, size: source.count.map { Int64(clamping: $0) } ?? -1)
        }
    }

    private func upload(_ method: HTTPMethod, size: Int64) {
        set(CURLOPT_UPLOAD, 1)
        set(CURLOPT_CUSTOMREQUEST, method.rawValue)
        // SAFETY: the handle is the caller's.
        unsafe cairn_curl_set_offset(easy, CURLOPT_INFILESIZE_LARGE, size)
    }

    private func apply(_ headers: [HTTPHeader]) throws(HTTPError) {
        // A server that knows nothing of 100 Continue would cost a second for each upload.
        var lines = ["Expect:"]
        lines += headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        for line in lines {
            // SAFETY: the list is ours until deinit; the text is copied.
            guard let list = unsafe curl_slist_append(headerList, line) else {
                throw HTTPError(.invalidRequest("out of memory for its headers"))
            }
            unsafe headerList = unsafe list
        }
        // SAFETY: the list is freed after `reset`.
        unsafe cairn_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headerList)
    }

    private func setCallbacks(_ transfer: CurlTransfer) {
        // SAFETY, for the block: `transfer` outlives the transfer, and is called back by the
        // thread that performs it; buffers are libcurl's, for the length of each call.
        let context = unsafe Unmanaged.passUnretained(transfer).toOpaque()
        unsafe cairn_curl_set_mover(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            unsafe CurlOptions.lend(bytes, size * count, context) { $0.take(bodyBytes: $1) }
        }
        unsafe cairn_curl_set_mover(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            unsafe CurlOptions.lend(bytes, size * count, context) { $0.take(headerLine: $1) }
        }
        unsafe cairn_curl_set_mover(easy, CURLOPT_READFUNCTION) { bytes, size, count, context in
            unsafe CurlOptions.fill(bytes, size * count, context)
        }
        unsafe cairn_curl_set_seek(easy) { context, offset, origin in
            guard let context = unsafe context, offset == 0, origin == SEEK_SET else {
                return CURL_SEEKFUNC_CANTSEEK
            }
            let transfer = unsafe Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.rewind() ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK
        }
        unsafe cairn_curl_set_connected(easy) { context, _, _, _, _ in
            guard let context = unsafe context else { return CURL_PREREQFUNC_ABORT }
            unsafe Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue().connected()
            return CURL_PREREQFUNC_OK
        }
        let data = [
            CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA,
            CURLOPT_PREREQDATA,
        ]
        for option in data {
            unsafe cairn_curl_set_pointer(easy, option, context)
        }
    }

    /// Hands bytes of libcurl's to a transfer; all of them count as taken, or none.
    @unsafe
    private static func lend(
        _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
        _ body: (CurlTransfer, Span<UInt8>) -> Bool
    ) -> Int {
        // SAFETY: `bytes` holds `count` bytes until the callback returns; `context` is a transfer
        // that the performing thread keeps.
        guard let bytes = unsafe bytes, let context = unsafe context else { return -1 }
        let buffer = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
        let transfer = unsafe Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
        // -1 is no count that libcurl asks for: it gives the transfer up.
        let span = unsafe Span<UInt8>(_unsafeBytes: buffer)
        return body(transfer, span) ? count : -1
    }

    @unsafe
    private static func fill(
        _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?
    ) -> Int {
        let aborted = Int(CURL_READFUNC_ABORT)
        // SAFETY: as in `lend`; `bytes` has room for `count` bytes.
        guard let bytes = unsafe bytes, let context = unsafe context else { return aborted }
        let transfer = unsafe Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
        guard let piece = transfer.nextBytes(limit: count) else { return aborted }
        unsafe piece.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: bytes, count: count).copyMemory(
                from: source)
        }
        return piece.count
    }

    /// Sets what may be refused: a handle whose request found no address for a name still has its
    /// buffers, and libcurl changes the size of none that is there. It is the size set before.
    private func prefer(_ option: CURLoption, _ value: Int64) {
        // SAFETY: the handle is the caller's.
        _ = unsafe cairn_curl_set_number(easy, option, value)
    }

    private func set(_ option: CURLoption, _ value: Int64) {
        // SAFETY: the handle is the caller's, who keeps it. An option that this libcurl does not
        // know is one it cannot do without either: it is in all of 7.85 and later.
        let code = unsafe cairn_curl_set_number(easy, option, value)
        precondition(code == CURLE_OK, "libcurl refuses an option")
    }

    private func set(_ option: CURLoption, _ value: String) {
        // SAFETY: as above; the text is copied.
        let code = unsafe cairn_curl_set_text(easy, option, value)
        precondition(code == CURLE_OK, "libcurl refuses an option")
    }
}

extension CurlOptions {
    /// What a code of the library means.
    func cause(of code: CURLcode, isConnected: Bool) -> HTTPError.Cause {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .unresolved
        case CURLE_COULDNT_CONNECT:
            // SAFETY: the handle is the caller's.
            unsafe cairn_curl_number(easy, CURLINFO_OS_ERRNO) == Int64(ECONNREFUSED)
                ? .refused : .unreachable
        case CURLE_OPERATION_TIMEDOUT: .timedOut(isConnected ? .stalled : .connecting)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CRL_BADFILE:
            .untrusted(text)
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CIPHER, CURLE_USE_SSL_FAILED,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CLIENTCERT:
            .handshake(text)
        case CURLE_URL_MALFORMAT: .invalidRequest("the address is malformed")
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING,
            CURLE_OUT_OF_MEMORY:
            // The last is also what a header line of more than 100 KiB gets from the library.
            .garbled
        case CURLE_SEND_FAIL_REWIND: .stopped
        default: isConnected ? .brokenOff : .unreachable
        }
    }

    /// What the library says, in printable characters.
    private var text: String {
        // SAFETY: libcurl ends the text with a zero, within the buffer.
        let bytes = unsafe String(cString: errorText).utf8.prefix(CurlOptions.textLimit)
        return String(decoding: bytes.filter { $0 >= 0x20 && $0 < 0x7F }, as: UTF8.self)
    }
}

extension Duration {
    /// Whole milliseconds, rounded down, at most what libcurl takes.
    fileprivate var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return min(seconds, Int64(Int32.max) / 1000) * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
