// SPDX-License-Identifier: Apache-2.0
//
// A place in a bucket as a store: one object a chunk, one object a pad. docs/format.md §24,
// docs/decisions/0015-s3.md.
//
// Invariants:
// - Nothing is read or written before the marker was seen: another's bucket is never written to.
// - A put that succeeded is durable: services acknowledge what they have stored.
// - A pad is replaced only if it still is what was read, wherever the service can compare.

internal import HTTP
package import Stores
internal import Synchronization

/// Chunks and pads in a bucket.
///
/// Any number of threads and machines may use it at once. Calls are not repeated here.
package final class S3Store: StoppableStore {
    /// The format that is written, and the newest that is read.
    static let formatVersion: UInt64 = 1
    /// The marker's first line.
    private static let markerTitle = "cairn s3 store"
    /// The most bytes of a marker that are looked at.
    private static let markerSize = 4096
    /// Most objects of a listing's page.
    ///
    /// - Source: AWS's limit for ListObjectsV2.
    static let pageCount = 1000
    /// The most bytes of a page: names of up to 1 KiB, each escaped, and some words about each.
    static let pageSize = 8 << 20

    let client: S3Client
    let keys: ObjectKeys
    /// How pads can be compared, once that was tried.
    let condition = Mutex<PadCondition?>(nil)
    /// Held while a pad is replaced on a service that cannot compare.
    let replacing = Mutex(())
    /// Whether the service refuses conditions on puts, and gets none any more.
    let ignoresConditions = Atomic(false)
    private let isMarked = Atomic(false)

    /// Opens the store at `address`.
    ///
    /// A service that does not answer now is taken at its word later: the first call that reaches
    /// it looks for the marker.
    ///
    /// - Parameters:
    ///   - create: whether to make the store, in a place of the bucket where nothing is. The bucket
    ///     itself must be there.
    ///   - uploadSpeed: bytes a second that one call may send; nil for no limit.
    ///   - downloadSpeed: bytes a second that may come to one call.
    /// - Throws: `refused`, `notAStore`, `newerFormat`; with `create` also `unreachable`, `busy`.
    package convenience init(
        _ address: S3Address, create: Bool, uploadSpeed: UInt64? = nil,
        downloadSpeed: UInt64? = nil
    ) throws(StoreError) {
        try self.init(
            address, create: create, source: try CredentialSource(address),
            speeds: HTTPSpeeds(sent: uploadSpeed, received: downloadSpeed),
            now: Surroundings.process.now)
    }

    init(
        _ address: S3Address, create: Bool, source: CredentialSource,
        speeds: HTTPSpeeds = HTTPSpeeds(), now: @escaping @Sendable () -> Int64
    ) throws(StoreError) {
        client = S3Client(address, source, speeds: speeds, now: now)
        keys = ObjectKeys(prefix: address.prefix)
        do throws(StoreError) {
            if create, try !checkMarker() {
                try make()
            } else {
                try beReady()
            }
        } catch {
            guard !create, error.isTransient else { throw error }
        }
    }

    /// Ends the calls under way, and every later one, with `unreachable`.
    package func stop() { client.stop() }

    /// Sees to it that this is a store. Call it before anything else.
    func beReady() throws(StoreError) {
        if isMarked.load(ordering: .acquiring) { return }
        guard try checkMarker() else {
            let place = keys.root.isEmpty ? "the bucket" : "this place in the bucket"
            throw .notAStore("\(place) has no object “\(keys.marker)”")
        }
    }

    private func checkMarker() throws(StoreError) -> Bool {
        guard let response = try object(keys.marker, limit: S3Store.markerSize) else {
            throw S3Store.foreignMarker
        }
        if response.status == 404 {
            let failure = S3Failure(response)
            if failure.code == "NoSuchKey" { return false }
            throw failure.code.isEmpty
                ? .refused("what answers there is no S3 service")
                : failure.storeError(bucket: client.address.bucket)
        }
        let lines = String(decoding: response.body, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 2, lines[0] == S3Store.markerTitle, lines[1].hasPrefix("format "),
            let version = UInt64(lines[1].dropFirst("format ".count)), version >= 1
        else { throw S3Store.foreignMarker }
        guard version <= S3Store.formatVersion else {
            throw .newerFormat(found: version, supported: S3Store.formatVersion)
        }
        isMarked.store(true, ordering: .releasing)
        return true
    }

    private static var foreignMarker: StoreError {
        .notAStore("its object “cairn-store” is damaged, or another program's")
    }

    private func make() throws(StoreError) {
        try forEachKey(below: keys.root) { key throws(StoreError) in
            // The beginnings of a store, from a making that was interrupted.
            let isHarmless = [keys.chunks, keys.pads, keys.probes, keys.marker].contains {
                key.hasPrefix($0)
            }
            guard isHarmless else {
                throw .notAStore("there are other things at this place of the bucket already")
            }
            return !key.hasPrefix(keys.chunks)
        }
        let text = "\(S3Store.markerTitle)\nformat \(S3Store.formatVersion)\n"
        _ = try client.send(
            S3Request(method: .put, key: keys.marker, body: Array(text.utf8)))
        isMarked.store(true, ordering: .releasing)
    }

    /// What the service says of an object, which may be that there is none (404).
    ///
    /// - Returns: nil if the object has more than `limit` bytes.
    func object(_ key: String, limit: Int) throws(StoreError) -> HTTPResponse? {
        var request = S3Request(method: .get, key: key)
        request.answerSize = limit
        do throws(StoreError) {
            return try client.send(request, accepting: [404])
        } catch {
            guard error == .tooLarge else { throw error }
            return nil
        }
    }

    /// Gives each key that begins with `prefix`, in order, until `body` answers false.
    ///
    /// - Parameter start: only keys behind this one.
    func forEachKey(
        below prefix: String, after start: String = "",
        _ body: (String) throws(StoreError) -> Bool
    ) throws(StoreError) {
        var last = start
        while true {
            let page = try page(below: prefix, after: last)
            for key in page.keys where try !body(key) { return }
            // A server that begins again from the start must not hold us for ever.
            guard page.isTruncated, let next = page.keys.last,
                last.utf8.lexicographicallyPrecedes(next.utf8)
            else { return }
            last = next
        }
    }

    /// One page of a listing.
    func page(
        below prefix: String, after start: String
    ) throws(StoreError) -> (keys: [String], isTruncated: Bool) {
        var request = S3Request(method: .get, key: nil)
        request.query = [
            ("list-type", "2"), ("prefix", prefix), ("max-keys", "\(S3Store.pageCount)"),
        ]
        if !start.isEmpty { request.query.append(("start-after", start)) }
        request.answerSize = S3Store.pageSize
        let text = XMLText(try client.send(request).body)
        guard let isTruncated = text.first("IsTruncated") else {
            throw .refused("the server cannot list the bucket's objects")
        }
        var found: [String] = []
        text.forEach("Key") { key in
            found.append(key)
            return found.count < S3Store.pageCount
        }
        return (found, isTruncated == "true")
    }
}
